#include "authority/store.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace cipherway::authority {

using identity::Certificate;
using identity::Name;

std::string_view to_string(Role role) {
  switch (role) {
    case Role::Root: return "root";
    case Role::Intermediate: return "intermediate";
    case Role::Leaf: return "leaf";
  }
  broken("Role out of range");
}

namespace {

constexpr int kSchemaVersion = 1;
constexpr int kBusyMilliseconds = 10'000;

/// Times are seconds since 1970. Names have a table of their own, so that who was given a name is one query.
constexpr const char* kSchema = R"(
CREATE TABLE authority (
  trust_domain TEXT NOT NULL,
  keys         TEXT NOT NULL,
  founded      INTEGER NOT NULL
) STRICT;
CREATE TABLE permitted (
  kind  TEXT NOT NULL CHECK (kind IN ('dns', 'ip')),
  value TEXT NOT NULL
) STRICT;
CREATE TABLE certificate (
  serial      TEXT PRIMARY KEY,
  role        TEXT NOT NULL CHECK (role IN ('root', 'intermediate', 'leaf')),
  issued      INTEGER NOT NULL,
  not_after   INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  der         BLOB NOT NULL
) STRICT;
CREATE TABLE name (
  serial TEXT NOT NULL REFERENCES certificate (serial),
  name   TEXT NOT NULL
) STRICT;
CREATE INDEX name_serial ON name (serial);
CREATE INDEX name_name ON name (name);
PRAGMA user_version = 1;
)";

std::unexpected<Error> fail_sqlite(sqlite3* database, std::string_view doing) {
  int code = sqlite3_errcode(database);
  ErrorKind kind = code == SQLITE_BUSY ? ErrorKind::Unavailable : ErrorKind::System;
  return fail(kind, std::string(doing) + ": " + sqlite3_errmsg(database));
}

Result<void> execute(sqlite3* database, const char* sql, std::string_view doing) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return fail_sqlite(database, doing);
  return {};
}

/// One prepared statement. Text and bytes are bound, never spliced into SQL.
class Statement {
 public:
  Statement(sqlite3* database, const char* sql) : database_(database) {
    prepared_ = sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr) == SQLITE_OK;
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  Statement& bind(std::string_view text) {
    prepared_ = prepared_ && sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT,
                                                 SQLITE_UTF8) == SQLITE_OK;
    return *this;
  }
  Statement& bind(std::int64_t number) {
    prepared_ = prepared_ && sqlite3_bind_int64(statement_, ++bound_, number) == SQLITE_OK;
    return *this;
  }
  Statement& bind(BytesView bytes) {
    prepared_ = prepared_ &&
                sqlite3_bind_blob64(statement_, ++bound_, bytes.data(), bytes.size(), SQLITE_TRANSIENT) == SQLITE_OK;
    return *this;
  }

  /// The next row: whether there is one.
  Result<bool> row() {
    int code = prepared_ ? sqlite3_step(statement_) : SQLITE_ERROR;
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return fail_sqlite(database_, "use the authority's database");
  }
  Result<void> run() {
    TRY(row());
    return {};
  }

  std::string text(int column) const {
    auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return bytes == nullptr ? std::string()
                            : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }
  Bytes bytes(int column) const {
    auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    return data == nullptr ? Bytes() : Bytes(data, data + sqlite3_column_bytes(statement_, column));
  }
  std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  bool prepared_ = false;
  int bound_ = 0;
};

/// Rolls back unless it was committed.
class Transaction {
 public:
  explicit Transaction(sqlite3* database) : database_(database) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (open_) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Result<void> begin() {
    TRY(execute(database_, "BEGIN IMMEDIATE", "lock the authority's database"));
    open_ = true;
    return {};
  }
  Result<void> commit() {
    TRY(execute(database_, "COMMIT", "write the authority's database to disk"));
    open_ = false;
    return {};
  }

 private:
  sqlite3* database_;
  bool open_ = false;
};

std::int64_t seconds(WallClock::time_point when) {
  return std::chrono::floor<std::chrono::seconds>(when.time_since_epoch()).count();
}

}  // namespace

void Store::Closes::operator()(sqlite3* database) const noexcept {
  sqlite3_close_v2(database);
}

Result<Store> Store::connect(const std::string& path) {
  sqlite3* opened = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  Database database(opened);
  if (code != SQLITE_OK) return fail_sqlite(opened, "open " + path);
  sqlite3_busy_timeout(opened, kBusyMilliseconds);
  TRY(execute(opened, "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF",
              "open " + path));
  return Store(std::move(database));
}

Result<Store> Store::create(const std::string& path, const Founding& founding) {
  // Made here and not by SQLite, which would make it readable by others.
  Fd file(::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (!file && errno == EEXIST) return fail(ErrorKind::Denied, path + " exists already");
  if (!file) return fail_errno("create " + path);
  auto found_it = [&]() -> Result<Store> {
    Store store = TRY(connect(path));
    TRY(store.found(founding));
    return store;
  };
  auto store = found_it();
  if (!store) ::unlink(path.c_str());
  return store;
}

Result<Store> Store::open(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) return fail_errno("open " + path);
  Store store = TRY(connect(path));
  Statement version(store.database_.get(), "PRAGMA user_version");
  bool there = TRY_IN("open " + path, version.row());
  if (!there || version.number(0) != kSchemaVersion)
    return fail(ErrorKind::Invalid, path + " is not the database of an authority of this version of cipherway");
  return store;
}

Result<void> Store::found(const Founding& founding) {
  sqlite3* database = database_.get();
  Transaction transaction(database);
  TRY(transaction.begin());
  TRY(execute(database, kSchema, "make the authority's tables"));
  TRY(Statement(database, "INSERT INTO authority (trust_domain, keys, founded) VALUES (?, ?, ?)")
          .bind(founding.constraints.trust_domain())
          .bind(founding.keys)
          .bind(seconds(WallClock::now()))
          .run());
  auto permit = [&](std::string_view kind, const std::vector<std::string>& values) -> Result<void> {
    for (const std::string& value : values)
      TRY(Statement(database, "INSERT INTO permitted (kind, value) VALUES (?, ?)").bind(kind).bind(value).run());
    return {};
  };
  TRY(permit("dns", founding.constraints.dns()));
  TRY(permit("ip", founding.constraints.ip()));
  TRY(insert(founding.root, Role::Root));
  TRY(insert(founding.intermediate, Role::Intermediate));
  return transaction.commit();
}

Result<void> Store::record(const Certificate& certificate, Role role) {
  Transaction transaction(database_.get());
  TRY(transaction.begin());
  TRY_IN("record a certificate", insert(certificate, role));
  return transaction.commit();
}

Result<void> Store::insert(const Certificate& certificate, Role role) {
  std::string serial = certificate.serial();
  TRY(Statement(database_.get(),
                "INSERT INTO certificate (serial, role, issued, not_after, fingerprint, der) VALUES (?, ?, ?, ?, ?, ?)")
          .bind(serial)
          .bind(to_string(role))
          .bind(seconds(WallClock::now()))
          .bind(seconds(certificate.not_after()))
          .bind(certificate.fingerprint())
          .bind(BytesView(certificate.to_der()))
          .run());
  for (const Name& name : certificate.names())
    TRY(Statement(database_.get(), "INSERT INTO name (serial, name) VALUES (?, ?)").bind(serial).bind(name.text).run());
  return {};
}

Result<Founding> Store::founding() const {
  sqlite3* database = database_.get();
  Statement authority(database, "SELECT trust_domain, keys FROM authority");
  if (!TRY(authority.row())) return fail(ErrorKind::Invalid, "the authority's database is empty");
  std::vector<std::string> dns;
  std::vector<std::string> ip;
  Statement permitted(database, "SELECT kind, value FROM permitted ORDER BY rowid");
  while (TRY(permitted.row())) (permitted.text(0) == "dns" ? dns : ip).push_back(permitted.text(1));
  auto certificate_of = [&](Role role) -> Result<Certificate> {
    Statement newest(database, "SELECT der FROM certificate WHERE role = ? ORDER BY rowid DESC LIMIT 1");
    newest.bind(to_string(role));
    if (!TRY(newest.row()))
      return fail(ErrorKind::Invalid,
                  "the authority's database has no " + std::string(to_string(role)) + " certificate");
    return Certificate::from_der(newest.bytes(0));
  };
  return Founding{TRY(Constraints::make(authority.text(0), dns, ip)), authority.text(1),
                  TRY(certificate_of(Role::Root)), TRY(certificate_of(Role::Intermediate))};
}

Result<std::vector<Record>> Store::records() const {
  std::vector<Record> records;
  Statement all(database_.get(), "SELECT role, der FROM certificate ORDER BY rowid");
  while (TRY(all.row())) {
    Certificate certificate = TRY(Certificate::from_der(all.bytes(1)));
    std::string role = all.text(0);
    records.push_back({.role = role == "root"           ? Role::Root
                               : role == "intermediate" ? Role::Intermediate
                                                        : Role::Leaf,
                       .serial = certificate.serial(),
                       .subject = certificate.subject(),
                       .names = certificate.names(),
                       .not_before = certificate.not_before(),
                       .not_after = certificate.not_after(),
                       .fingerprint = certificate.fingerprint()});
  }
  return records;
}

}  // namespace cipherway::authority
