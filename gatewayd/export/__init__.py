"""What other programs want to read, made from a configuration: each format is a module with
`export(config, here)`, a function without side effects."""
