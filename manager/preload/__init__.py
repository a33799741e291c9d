"""What the fork server imports before it forks: the children share it, so they start in 20 ms and own few pages.

Nothing here may make a socket, thread or connection: they do not survive a fork.
"""
