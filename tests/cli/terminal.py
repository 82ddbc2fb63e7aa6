"""Runs a command in a terminal of its own, and types when it sees what it waits for.

    terminal.py WAIT TYPE [WAIT TYPE]... -- COMMAND...

To TYPE "resize 120" is to make the window 120 columns wide.
What ends a command that a person starts ends this one, too: a test that a shell runs in the background, or
nohup, has inherited that SIGINT or SIGHUP is ignored, and with it would be whatever it starts.
Prints everything that reached the screen, and exits as the command does: 128+n if signal n ended it.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

DEADLINE = time.monotonic() + 15

split = sys.argv.index("--")
script = [os.fsencode(text) for text in sys.argv[1:split]]
steps = list(zip(script[0::2], script[1::2]))
command = sys.argv[split + 1 :]

pid, terminal = pty.fork()
if pid == 0:
    for name in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    os.execvp(command[0], command)

screen, seen = bytearray(), 0
while True:
    while steps and (found := screen.find(steps[0][0], seen)) >= 0:
        wait, typed = steps.pop(0)
        seen = found + len(wait)
        if typed.startswith(b"resize "):
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(typed[7:]), 0, 0))
        else:
            os.write(terminal, typed)
    if not select.select([terminal], [], [], max(0, DEADLINE - time.monotonic()))[0]:
        os.kill(pid, 9)
        sys.exit("in vain: waited for %r on %r" % (steps, screen))
    try:
        data = os.read(terminal, 4096)
    except OSError:  # EIO: nobody has the terminal open any more
        break
    if not data:
        break
    screen += data

_, status = os.waitpid(pid, 0)
os.write(1, screen)
if steps:
    sys.exit("it ended before this was seen: %r" % steps)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
