"""`python -m est_alan_scheduler.web`: the demo of the page."""

from est_alan_scheduler.web.demo.program import main

if __name__ == "__main__":
    main()
