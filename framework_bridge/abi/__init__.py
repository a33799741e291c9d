"""The binary interface of the Asirikuy framework library (4.5) and of its tester, for 64-bit Linux.

One module per idea: `layout` and `structures` (bytes), `codes`, `signals`, `settings` (numbers), `rates`, `orders`,
`account`, `results` (arrays), `prototypes`, `elf` and `library` (loading and calling), `call` (the arguments of one
strategy), `probe` (is it the library we know?), `tester`. The library itself is proprietary: the user names its path.
"""
