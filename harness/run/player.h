#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "harness/clients/engine_client.h"
#include "harness/run/plan.h"
#include "reports/record/sample_record.h"

namespace moebench {

/// What the player tells while it plays. All are called from the thread that called play().
struct PlayListener {
  /// One attempt is over; called in the order in which they end. May throw to end the run.
  std::function<void(const Attempt&, SampleRecord)> finished;
  /// Called about ten times a second, with the tokens generated so far.
  std::function<void(std::int64_t output_tokens)> tick;
  /// True: submit nothing more, cancel what is in flight.
  std::function<bool()> should_stop;
};

struct PlayResult {
  double wall_seconds = 0;   ///< first issue to last token
  std::int64_t dropped = 0;  ///< attempts that were in flight when the run was stopped
};

/// Plays the attempts in their order against the client, as many in flight as it can serve, grades
/// each answer and hands it on. An attempt's record depends on the attempt alone (timings apart):
/// not on what else ran, nor on the order in which answers come.
/// `earlier` are finished attempts of the same plan (a resumed run), for naming equal answers
/// alike.
PlayResult play(const RunPlan& plan, std::span<const Attempt> attempts, EngineClient& client,
                std::int64_t segment, std::span<const SampleRecord> earlier,
                const PlayListener& listener);

/// The request of one attempt. The random stream is keyed by the run's seed, the task, the question
/// and the attempt, so it does not change with --limit, the other tasks or the order of play.
GenerationRequest make_request(const RunPlan& plan, const Attempt& attempt, std::uint64_t id);

}  // namespace moebench
