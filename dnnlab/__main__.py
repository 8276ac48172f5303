"""`python -m dnnlab` is the same command as `dnnlab`."""

from dnnlab.cli.main import main

if __name__ == "__main__":
    main()
