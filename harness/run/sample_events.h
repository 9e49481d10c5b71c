#pragma once

#include "harness/clients/engine_client.h"
#include "reports/record/sample_record.h"

namespace moebench {

/// Writes what an engine tells of one request into its record; `now_ms` is the event's time since
/// the request was issued. `chunk_times`: keep each piece's time. Returns whether the request has
/// ended: then finish reason, usage, failure and the hash of the output are in the record, too.
bool add_event(SampleRecord& record, GenerationEvent& event, double now_ms, bool chunk_times);

}  // namespace moebench
