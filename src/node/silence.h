#pragma once

namespace cipherway::node {

/// How long one has been silent that is asked at every beat whether it is there. Counted in beats of whoever asks, not
/// in time: a machine that slept, or a container that was frozen, has not let anybody ask, so nobody was silent.
class Silence {
 public:
  static constexpr unsigned kMost = 15;  ///< beats without an answer: it is stuck

  void answered() { beats_ = 0; }
  void beat() {
    if (beats_ < kMost) ++beats_;
  }
  bool too_long() const { return beats_ >= kMost; }

 private:
  unsigned beats_ = 0;
};

}  // namespace cipherway::node
