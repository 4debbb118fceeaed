"""A FastAGI application on pystrix, as its documentation shows one: it knows Asterisk and no agi-bridge.

Prints the port that it listens on, and what it sees of each call, behind the call's channel.
"""

import re

from pystrix import agi
from pystrix.agi import core


def say(*words):
    print(*words, flush=True)


def pin(call, args, kwargs, match, path):
    """Asks for a PIN and hangs up; puts into Asterisk's database how that went."""
    environment = call.get_environment()
    channel = environment["agi_channel"]
    say(channel, "call from", environment["agi_callerid"], "for", path, "of", *kwargs["tenant"])
    try:
        call.execute(core.Answer())
        call.execute(core.StreamFile("hello-world", escape_digits=("1", "2")))
        digits, timed_out = call.execute(core.GetData("beep", timeout=5000, max_digits=4))
        say(channel, "digits", digits, timed_out)
        call.execute(core.SetVariable("PIN", digits))
        call.execute(core.Hangup())
        call.execute(core.DatabasePut("lab", args[0], "hung up"))
        say(channel, "hung up")
    except (agi.AGIHangup, agi.AGIDeadChannelError) as gone:
        call.execute(core.DatabasePut("lab", args[0], "gone"))
        say(channel, "gone", type(gone).__name__)


def message(call, args, kwargs, match, path):
    """Records what the caller says."""
    channel = call.get_environment()["agi_channel"]
    try:
        call.execute(core.Answer())
        call.execute(core.RecordFile("/tmp/" + args[0], core.FORMAT_GSM, escape_digits="#"))
        say(channel, "recorded")
    except (agi.AGIHangup, agi.AGIDeadChannelError) as gone:
        call.execute(core.SetVariable("MESSAGE", 'the "last" one'))
        say(channel, "gone", type(gone).__name__)


server = agi.FastAGIServer(interface="127.0.0.1", port=0)
server.register_script_handler(re.compile("pin"), pin)
server.register_script_handler(re.compile("message"), message)
say("listening", server.server_address[1])
server.serve_forever()
