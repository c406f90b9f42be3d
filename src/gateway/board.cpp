#include "gateway/board.h"

#include "base/sip_hash.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <new>

namespace cipherway::gateway {

namespace {
/// A row that nobody has touched for so long is free.
constexpr std::int32_t kAbandonedAfter = 60;
constexpr unsigned kSeatBits = 16;

std::uint32_t seconds(Clock::time_point when) {
  return static_cast<std::uint32_t>(millis(when) / 1000);
}
}  // namespace

std::string_view to_string(Health health) {
  switch (health) {
    case Health::Unchecked: return "unchecked";
    case Health::Up: return "up";
    case Health::Down: return "down";
  }
  return "unchecked";  // whatever a worker that was taken over wrote there
}

Millis millis(Clock::time_point when) {
  return static_cast<Millis>(std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count());
}

/// Zero bytes are an empty board. The connection counts stand by seat, so that a worker writes to memory that the
/// others only read.
struct Board::Shared {
  alignas(64) SipKey hash;                       // set before anybody else sees it
  alignas(64) std::atomic<Millis> lease;         // until when, and in the lowest bits whose: the seat + 1
  alignas(64) std::atomic<std::uint32_t> seats;  // those below may have counts
  alignas(64) Standing rows[kRows];
  alignas(64) std::atomic<std::uint32_t> open[kSeats][kRows];
};

Result<Fd> Board::make() {
  Fd fd(::memfd_create("cipherway-board", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("memfd_create");
  if (::ftruncate(fd.get(), sizeof(Shared)) != 0) return fail_errno("make room for the board");
  SipKey key;
  if (::getrandom(&key, sizeof key, 0) != static_cast<ssize_t>(sizeof key)) return fail_errno("getrandom");
  if (::pwrite(fd.get(), &key, sizeof key, offsetof(Shared, hash)) != static_cast<ssize_t>(sizeof key))
    return fail_errno("write to the board");
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return fail_errno("seal the board");
  return fd;
}

Result<std::shared_ptr<Board>> Board::map(const Fd& fd, std::optional<unsigned> seat) {
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return fail(ErrorKind::Protocol, "the board is not sealed");
  struct stat about{};
  if (::fstat(fd.get(), &about) != 0) return fail_errno("fstat the board");
  if (about.st_size != static_cast<off_t>(sizeof(Shared)))
    return fail(ErrorKind::Protocol, "the board is of another size than ours");
  if (seat && *seat >= kSeats) return fail(ErrorKind::Protocol, "the board has no such seat");
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return fail_errno("map the board");
  return std::shared_ptr<Board>(new Board(static_cast<Shared*>(memory), seat));
}

std::shared_ptr<Board> Board::alone() {
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) broken("no memory for a board");
  return std::shared_ptr<Board>(new Board(static_cast<Shared*>(memory), 0));
}

Board::Board(Shared* shared, std::optional<unsigned> seat) : shared_(shared), seat_(seat) {
  if (!seat) return;
  clear_seat(*seat);
  std::uint32_t seats = shared_->seats.load(std::memory_order_relaxed);
  while (seats <= *seat && !shared_->seats.compare_exchange_weak(seats, *seat + 1)) {
  }
}

Board::~Board() {
  ::munmap(shared_, sizeof(Shared));
}

void Board::clear_seat(unsigned seat) {
  if (seat >= kSeats) return;
  // Reading is cheaper than writing: pages that were never written stay unmade.
  for (auto& count : shared_->open[seat])
    if (count.load(std::memory_order_relaxed) != 0) count.store(0, std::memory_order_relaxed);
}

/// The first row that has the key; else the first free one, which then has it. Who claims a row at the same time as
/// somebody else goes for the same one, so one of the two finds the key of the other there.
std::optional<std::size_t> Board::find(std::uint64_t key, Clock::time_point now) {
  for (bool take_abandoned : {false, true}) {
    for (std::size_t row = 0; row < kRows; ++row) {
      Standing& standing = shared_->rows[row];
      std::uint64_t has = standing.key.load(std::memory_order_acquire);
      if (has == key) return row;
      // Signed: the clock of whoever touched it last may be ahead of ours.
      auto age = static_cast<std::int32_t>(seconds(now) - standing.touched.load(std::memory_order_relaxed));
      bool abandoned = take_abandoned && age > kAbandonedAfter;
      if (has != 0 && !abandoned) continue;
      standing.touched.store(seconds(now), std::memory_order_relaxed);
      if (!standing.key.compare_exchange_strong(has, key)) {
        if (has == key) return row;
        continue;
      }
      standing.came_up.store(millis(now), std::memory_order_relaxed);
      standing.ejected_until.store(0, std::memory_order_relaxed);
      standing.checked_at.store(0, std::memory_order_relaxed);
      for (auto* count :
           {&standing.failing, &standing.failures, &standing.ejections, &standing.check_us, &standing.run})
        count->store(0, std::memory_order_relaxed);
      standing.health.store(Health::Unchecked, std::memory_order_relaxed);
      return row;
    }
  }
  return std::nullopt;
}

std::unique_ptr<Board::Place> Board::place(std::string_view channel, std::string_view target, Clock::time_point now) {
  std::string name(channel);
  name += '\0';
  name += target;
  auto place = std::make_unique<Place>();
  place->board_ = this;
  place->key_ = std::max<std::uint64_t>(sip_hash(shared_->hash, name), 1);
  place->row_ = find(place->key_, now);
  if (place->row_) {
    place->standing_ = &shared_->rows[*place->row_];
  } else {
    place->own_ = std::make_unique<Standing>();
    place->own_->came_up.store(millis(now));
    place->standing_ = place->own_.get();
  }
  touch(*place, now);
  return place;
}

bool Board::touch(const Place& place, Clock::time_point now) {
  if (!place.row_) return true;
  if (place.standing_->key.load(std::memory_order_acquire) != place.key_) return false;
  place.standing_->touched.store(seconds(now), std::memory_order_relaxed);
  return true;
}

std::uint64_t Board::Place::open() const {
  if (!row_) return own_open_;
  std::size_t seats = std::min<std::size_t>(board_->shared_->seats.load(std::memory_order_relaxed), kSeats);
  std::uint64_t sum = 0;
  for (std::size_t seat = 0; seat < seats; ++seat) sum += board_->shared_->open[seat][*row_].load();
  return sum;
}

void Board::Place::opened() const {
  if (!row_) {
    ++own_open_;
    return;
  }
  board_->shared_->open[board_->seat_.value()][*row_].fetch_add(1);
}

void Board::Place::closed() const {
  if (!row_) {
    --own_open_;
    return;
  }
  auto& count = board_->shared_->open[board_->seat_.value()][*row_];
  if (count.load(std::memory_order_relaxed) > 0) count.fetch_sub(1);
}

bool Board::hold_lease(Clock::time_point now) {
  Millis lease = shared_->lease.load();
  Millis until = lease >> kSeatBits;
  bool ours = (lease & ((1u << kSeatBits) - 1)) == seat_.value() + 1;
  // One that ends later than any honest one does not count.
  bool holds = until > millis(now) && until <= millis(now + kLease);
  if (holds && !ours) return false;
  return shared_->lease.compare_exchange_strong(lease, millis(now + kLease) << kSeatBits | (seat_.value() + 1));
}

void Board::give_up_lease() {
  Millis lease = shared_->lease.load();
  if ((lease & ((1u << kSeatBits) - 1)) == seat_.value() + 1) shared_->lease.compare_exchange_strong(lease, 0);
}

}  // namespace cipherway::gateway
