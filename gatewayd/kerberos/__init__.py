"""Kerberos 5 as RFC 2942 carries it: tickets are verified with MIT's libkrb5.

Nothing of it is imported while no file names a keytab, and the library is loaded with the keytab.
"""
