"""The command line: `python -m flows`, or `tidemill`."""

from flows.cli.main import main

if __name__ == "__main__":
    main()
