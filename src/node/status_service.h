#pragma once

#include "event/event_loop.h"
#include "keyholder/protocol.h"
#include "node/status_report.h"

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cipherway::node {

/// Makes status reports: the supervisor asks all processes and hands their answers in; the report is made when all have
/// answered, or after a second from those that have. Who asks while a report is being made shares the next one.
/// It serves the control socket of the node: whoever connects (the state directory lets only its owner) gets one report
/// and the end of the connection; nothing is read.
class StatusService final : public event::Watcher {
 public:
  static constexpr std::chrono::seconds kPatience{1};
  static constexpr std::size_t kMostClients = 32;

  struct Sources {
    std::function<NodeFacts()> facts;
    /// Asks every process that runs with this id, and says how many will answer.
    std::function<std::size_t(std::uint32_t id)> ask;
  };
  StatusService(event::EventLoop& loop, Fd listener, Sources sources);
  ~StatusService();

  /// `receive` is called once, with the next report that begins from now on.
  using Receive = std::function<void(const std::string& report)>;
  void ask(Receive receive);

  void worker_answered(std::uint32_t id, unsigned index, std::string json);
  void keyholder_answered(std::uint32_t id, Result<keyholder::Status> status);

  void ready(std::uint32_t events) override;  ///< somebody connected

 private:
  class Client;
  void begin();
  void one_answer();
  void finish();

  event::EventLoop& loop_;
  Fd listener_;
  Sources sources_;
  std::vector<Receive> waiting_;  // for the next round
  std::vector<Receive> asked_;    // for this round
  std::list<std::unique_ptr<Client>> clients_;
  std::uint32_t round_ = 0;
  std::size_t missing_ = 0;
  std::map<unsigned, std::string> workers_;
  std::optional<keyholder::Status> keyholder_;
  event::Timer patience_;
};

}  // namespace cipherway::node
