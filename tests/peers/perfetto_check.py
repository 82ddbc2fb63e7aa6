"""Reads a Perfetto trace with the messages that Perfetto publishes (PyPI: perfetto, protobuf), and checks what its trace
processor checks when it imports one: every track is described before it is used, slices nest on their track, each flow
begins once and ends once. Prints what it found, as JSON.

It exists because the trace processor itself cannot be installed from a package registry. Usage: perfetto_check.py FILE.
"""

import json
import sys

from google.protobuf.unknown_fields import UnknownFieldSet
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

errors = []


def unknown(message, where):
    """Fields that Perfetto does not know, or that have another type there."""
    for field in UnknownFieldSet(message):
        errors.append(f"{where}: unknown field {field.field_number}")
    for descriptor, value in message.ListFields():
        if descriptor.type == descriptor.TYPE_MESSAGE:
            repeated = not hasattr(value, "ListFields")
            for one in value if repeated else [value]:
                unknown(one, f"{where}.{descriptor.name}")


trace = Trace()
with open(sys.argv[1], "rb") as file:
    trace.ParseFromString(file.read())
unknown(trace, "trace")

processes, threads = {}, {}
events = []
for packet in trace.packet:
    if not packet.trusted_packet_sequence_id:
        errors.append("a packet of no sequence")
    if packet.HasField("track_descriptor"):
        track = packet.track_descriptor
        if track.uuid in processes or track.uuid in threads:
            errors.append(f"track {track.uuid} is described twice")
        if track.HasField("thread"):
            if track.parent_uuid not in processes:
                errors.append(f"track {track.uuid} has an unknown parent")
            elif processes[track.parent_uuid]["pid"] != track.thread.pid:
                errors.append(f"track {track.uuid} has the parent of another process")
            thread = track.thread
            threads[track.uuid] = {"pid": thread.pid, "tid": thread.tid, "name": thread.thread_name}
        elif track.parent_uuid:
            if track.parent_uuid not in processes:
                errors.append(f"track {track.uuid} has an unknown parent")
            threads[track.uuid] = {"pid": None, "tid": None, "name": track.name}
        else:
            processes[track.uuid] = {"pid": track.process.pid, "name": track.process.process_name}
    elif packet.HasField("track_event"):
        if packet.track_event.track_uuid not in threads:
            errors.append(f"an event of the unknown track {packet.track_event.track_uuid}")
        events.append((packet.timestamp, packet.track_event))
    else:
        errors.append("an empty packet")

slices, flows, active, stacks = [], [], {}, {}
# The trace processor sorts by time, and keeps the order of the file where times are equal.
for at, event in sorted(events, key=lambda event: event[0]):
    stack = stacks.setdefault(event.track_uuid, [])
    if event.type == TrackEvent.TYPE_SLICE_END:
        if not stack:
            errors.append(f"an end without a beginning at {at}")
            continue
        number = stack.pop()
        slices[number]["dur"] = at - slices[number]["ts"]
    else:
        number = len(slices)
        thread = threads.get(event.track_uuid, {})
        instant = event.type == TrackEvent.TYPE_INSTANT
        slices.append({
            "pid": thread.get("pid"),
            "tid": thread.get("tid"),
            "ts": at,
            "dur": 0 if instant else None,
            "instant": instant,
            "depth": len(stack),
            "name": event.name,
            "category": list(event.categories),
            "args": {one.name: one.string_value or one.int_value for one in event.debug_annotations},
        })
        if not instant:
            stack.append(number)
    if event.type == TrackEvent.TYPE_SLICE_END:
        arrived = {one.name: one.string_value for one in event.debug_annotations}
        slices[number]["args"].update(arrived)
    for flow in event.flow_ids:
        if flow in active:
            errors.append(f"flow {flow} begins twice")
        active[flow] = number
    for flow in event.terminating_flow_ids:
        if flow in active:
            flows.append([active.pop(flow), number])
        else:
            errors.append(f"flow {flow} ends before it begins")
errors += [f"flow {flow} has no end" for flow in active]

print(json.dumps({
    "errors": errors,
    "processes": list(processes.values()),
    "threads": list(threads.values()),
    "slices": slices,
    "flows": flows,
}))
