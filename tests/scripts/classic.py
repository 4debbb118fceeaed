#!/usr/bin/env python3
"""A classic AGI script in plain Python: it knows Asterisk and no agi-bridge. Asks for a PIN and hangs up.

Tells on its error output what it sees. Its argument is the key under which it keeps how the call went.
"""

import re
import signal
import sys

signals = 0


def on_hangup(number, frame):
    global signals
    signals += 1


def command(line):
    """Sends a command and gives the result of its reply."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    reply = sys.stdin.readline()
    found = re.match(r"200 result=(\S*)", reply)
    return found.group(1) if found else reply.strip()


def say(text):
    print("classic.py:", text, file=sys.stderr)


signal.signal(signal.SIGHUP, on_hangup)
environment = {}
for line in iter(lambda: sys.stdin.readline().strip(), ""):
    name, value = line.split(":", 1)
    environment[name] = value.strip()
key = sys.argv[1]
say(f"call from {environment['agi_callerid']} with {environment['agi_arg_1']}")

command("answer")
command('stream file hello-world ""')
digits = command("get data beep 5000 4")
say(f"digits {digits}")
if digits == "-1":
    command(f"database put lab {key} gone")
    command(f"set variable SIGNALS {signals}")
    say(f"gone with {signals} signals")
else:
    command(f'set variable PIN "{digits}"')
    command(f"database put lab {key} done")
    command("hangup")
    say("hung up")
