"""What a stack's program sends to its providers, without engine, account or network.

``recording`` runs a plan's real resources on the SDK's mocks and writes down what they register;
``answers`` says what the clouds would answer; the command is `python -m infra.rehearsal.dump`.
"""
