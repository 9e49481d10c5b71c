#include "harness/clients/in_process_client.h"

#include "harness/environment/build.h"

namespace moebench {

InProcessClient::InProcessClient(const EngineOptions& options)
    : engine_(Engine::load(options)), max_in_flight_(options.max_batch_sequences) {
  info_.engine_name = "moebench";
  info_.engine_version = build_info().version;
  info_.engine = engine_->info();
}

}  // namespace moebench
