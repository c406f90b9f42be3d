#pragma once

#include "authority/constraints.h"
#include "base/clock.h"
#include "identity/certificate.h"

#include <memory>
#include <string>
#include <vector>

struct sqlite3;

namespace cipherway::authority {

enum class Role { Root, Intermediate, Leaf };
std::string_view to_string(Role role);  // "root", "intermediate", "leaf"

/// What is kept of every certificate that was ever issued.
struct Record {
  Role role = Role::Leaf;
  std::string serial;  ///< lower-case hexadecimal
  std::string subject;
  std::vector<identity::Name> names;
  WallClock::time_point not_before;
  WallClock::time_point not_after;
  std::string fingerprint;  ///< SHA-256, lower-case hexadecimal
};

/// What an authority is: fixed at init.
struct Founding {
  Constraints constraints;
  std::string keys;  ///< folder of root.key and intermediate.key; empty: the state directory
  identity::Certificate root;
  identity::Certificate intermediate;
};

/// The database of one authority (SQLite): who it is, and what it issued. Every change is one transaction, on disk
/// before the call returns; two processes may use the file at the same time.
class Store {
 public:
  /// A new file (mode 0600) that holds `founding`; an existing one is an error. Nothing is left behind on failure.
  static Result<Store> create(const std::string& path, const Founding& founding);
  static Result<Store> open(const std::string& path);

  Result<Founding> founding() const;
  /// Writes down a certificate. One with a serial number that is there already is an error.
  Result<void> record(const identity::Certificate& certificate, Role role);
  /// Everything that was issued, oldest first.
  Result<std::vector<Record>> records() const;

 private:
  struct Closes {
    void operator()(sqlite3* database) const noexcept;
  };
  using Database = std::unique_ptr<sqlite3, Closes>;
  explicit Store(Database database) : database_(std::move(database)) {}
  static Result<Store> connect(const std::string& path);
  Result<void> found(const Founding& founding);
  Result<void> insert(const identity::Certificate& certificate, Role role);

  Database database_;
};

}  // namespace cipherway::authority
