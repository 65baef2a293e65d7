"""Tickets of Kerberos, as RFC 2942 carries them: judged with MIT's libkrb5.

Nothing of it is imported while the configuration has no `kerberos`.
"""
