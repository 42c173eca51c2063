"""``python -m atota`` and the ``atota`` command."""

from atota.cli.run import main

if __name__ == "__main__":
    main()
