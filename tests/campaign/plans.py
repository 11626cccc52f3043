"""What is done to the daemon in a leg, by a seed."""

import signal
import time


def none(leg):
    """Nothing: the load runs to its end."""
    leg.up()
    while not leg.firm_is_done():
        time.sleep(0.1)


def wall_raised(leg):
    """Half-way another roster comes into force that walls a team from a matter."""
    leg.up()
    time.sleep(3)
    wall = '\n[[walls]]\nteam = "warsaw"\nclient = "rhine-ag"\nmatter = "M-7"\nreason = "a conflict"\n'
    with open(leg.roster, "a") as roster:
        roster.write(wall)
    leg.daemon.signal(signal.SIGHUP)
    while not leg.firm_is_done():
        time.sleep(0.1)


def kills(count, within_seconds=2.0):
    """SIGKILL after a random time from the start of the process, again and again."""

    def plan(leg):
        for _ in range(count):
            if not leg.daemon.is_running():
                leg.daemon.start()
            time.sleep(leg.rng.uniform(0, within_seconds))
            leg.kill()

    return plan
