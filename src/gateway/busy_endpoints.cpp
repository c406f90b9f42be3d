#include "gateway/busy_endpoints.h"

#include "gateway/endpoint.h"

namespace cipherway::gateway {

BusyEndpoints::BusyEndpoints(event::EventLoop& loop) : loop_(loop), timer_(loop, [this] { let_rest(); }) {}

void BusyEndpoints::did_something(Endpoint& endpoint) {
  Endpoint::Business& its = endpoint.business_;
  its.last = loop_.now();
  if (its.listed) return least_recent_first_.splice(least_recent_first_.end(), least_recent_first_, its.place);
  if (least_recent_first_.empty()) timer_.set_after(kRestAfter);
  if (least_recent_first_.size() >= kMost) least_recent_first_.front()->rest();
  its.place = least_recent_first_.insert(least_recent_first_.end(), &endpoint);
  its.listed = true;
}

void BusyEndpoints::forget(Endpoint& endpoint) {
  if (std::exchange(endpoint.business_.listed, false)) least_recent_first_.erase(endpoint.business_.place);
}

void BusyEndpoints::let_rest() {
  while (!least_recent_first_.empty()) {
    Endpoint& oldest = *least_recent_first_.front();
    auto until = oldest.business_.last + kRestAfter;
    if (until > loop_.now()) return timer_.set_at(until);
    oldest.rest();
  }
}

}  // namespace cipherway::gateway
