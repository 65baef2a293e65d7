"""People who log in: the file of users, what they type, and how it is judged.

Nothing of it is imported while no address asks for a login.
"""
