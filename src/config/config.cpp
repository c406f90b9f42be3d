#include "config/config.h"

#include "base/error.h"

namespace cipherway::config {

std::string_view to_string(Protect protect) {
  switch (protect) {
    case Protect::None: return "none";
    case Protect::Tls: return "tls";
    case Protect::MutualTls: return "mutual-tls";
    case Protect::Passthrough: return "passthrough";
  }
  broken("Protect out of range");
}

bool has_tls(Protect protect) {
  return protect == Protect::Tls || protect == Protect::MutualTls;
}

std::string_view to_string(Balance balance) {
  switch (balance) {
    case Balance::RoundRobin: return "round-robin";
    case Balance::Random: return "random";
    case Balance::LeastConnections: return "least-connections";
    case Balance::TwoChoices: return "two-choices";
    case Balance::Pinned: return "pinned";
    case Balance::InOrder: return "in-order";
  }
  broken("Balance out of range");
}

std::string_view to_string(Health::Check check) {
  switch (check) {
    case Health::Check::Tcp: return "tcp";
    case Health::Check::Tls: return "tls";
    case Health::Check::Http: return "http";
  }
  broken("Health::Check out of range");
}

std::string Listen::to_string() const {
  return is_systemd() ? "systemd:" + systemd : address.to_string();
}

std::string Target::to_string() const {
  return std::visit([](const auto& each) { return each.to_string(); }, where);
}

const Identity* Node::identity(std::string_view name) const {
  for (const Identity& identity : identities)
    if (identity.name.value == name) return &identity;
  return nullptr;
}

}  // namespace cipherway::config
