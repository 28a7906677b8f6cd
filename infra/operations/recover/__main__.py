from infra.operations.recover import command
from infra.operations.stack import main

if __name__ == "__main__":
    main("infra.operations.recover", command)
