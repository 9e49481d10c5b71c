#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "harness/clients/worker_protocol.h"

namespace moebench {

/// A child process that speaks the worker protocol on its standard input and output. It gets an
/// argument vector, no shell; it dies with this process, however that ends (so make it from a
/// thread that lives on); the end of what it wrote to its standard error is kept. Not thread-safe.
class WorkerProcess {
 public:
  /// Starts `command` (the program's path, then its arguments). Throws Error(kIo).
  explicit WorkerProcess(const std::vector<std::string>& command);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  /// Kills it.
  ~WorkerProcess();

  /// Queues a message; never waits. Throws what encode_frame throws.
  void send(const WorkerMessage& message);

  /// The messages that have arrived since the last call.
  std::vector<WorkerMessage> take_messages();

  /// Has it closed its output, or sent what is no message? What it sent before can still be taken.
  bool ended() const;

  /// Kills it where it still lives, and tells how it ended: "was killed by signal 11 (Segmentation
  /// fault); it wrote: ...".
  std::string end();

  int process_id() const;

  /// Moves bytes between this process and the workers until something arrived from one of them, one
  /// ended, or the time is over.
  static void wait(std::span<WorkerProcess* const> workers, std::chrono::milliseconds timeout);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace moebench
