"""`python -m hosting.router`: the data plane on a socket."""

from hosting.router import compiled

if __name__ == "__main__":
    compiled.use()  # before anything of the router is imported

    from hosting.router.command import main

    main()
