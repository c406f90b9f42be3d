#include "gateway/admission.h"

#include <gtest/gtest.h>

#include <list>
#include <map>
#include <set>

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;
using Answer = Admission::Answer;
using Limits = Admission::Limits;

Address address(const std::string& host) {
  return *Address::parse(host.find(':') == std::string::npos ? host + ":4000" : "[" + host + "]:4000");
}
Address unix_peer() {
  return *Address::parse("unix:/run/client");
}
/// An address in a /64 of its own.
Address network(unsigned site, unsigned number) {
  char text[64];
  std::snprintf(text, sizeof text, "2001:db8:%x:%x::1", site, number);
  return address(text);
}

/// A crowd of guests, and a clock that stands still unless it is moved.
class AdmissionTest : public testing::Test {
 protected:
  Answer come(const Address& peer) {
    guests_.emplace_back();
    return admission_->enter(guests_.back(), peer, now_);
  }
  Guest& welcome(const Address& peer) {
    EXPECT_EQ(come(peer), Answer::Welcome) << peer.to_string();
    return guests_.back();
  }
  void limit(Limits limits, std::size_t most_sources = Admission::kMostSources) {
    guests_.clear();
    admission_ = std::make_unique<Admission>(limits, most_sources);
  }
  /// Evicts while there are too many, as a worker does.
  std::vector<Guest*> evict(const Guest* newcomer = nullptr) {
    std::vector<Guest*> evicted;
    while (Guest* guest = admission_->overcrowding(newcomer)) {
      evicted.push_back(guest);
      guest->leave();
    }
    return evicted;
  }

  std::unique_ptr<Admission> admission_ = std::make_unique<Admission>(Limits{});
  std::list<Guest> guests_;
  Clock::time_point now_{1h};
};

TEST_F(AdmissionTest, SourcesAreAddressesNetworksAndThisMachine) {
  EXPECT_EQ(Origin::of(address("192.0.2.1")), Origin::of(*Address::parse("192.0.2.1:1")));
  EXPECT_NE(Origin::of(address("192.0.2.1")), Origin::of(address("192.0.2.2")));
  EXPECT_EQ(Origin::of(address("2001:db8:0:1::1")), Origin::of(address("2001:db8:0:1:ffff::2")));
  EXPECT_NE(Origin::of(address("2001:db8:0:1::1")), Origin::of(address("2001:db8:0:2::1")));
  EXPECT_EQ(Origin::of(address("::ffff:192.0.2.1")), Origin::of(address("192.0.2.1"))) << "a dual-stack socket";
  EXPECT_EQ(Origin::of(unix_peer()), Origin::of(Address()));
  EXPECT_NE(Origin::of(unix_peer()), Origin::of(address("0.0.0.0")));
}

TEST_F(AdmissionTest, CountsEverybodyOnceAndForgetsThem) {
  Guest& one = welcome(address("192.0.2.1"));
  Guest& two = welcome(address("192.0.2.1"));
  welcome(unix_peer());
  EXPECT_EQ(admission_->open(), 3u);
  EXPECT_EQ(admission_->half_open(), 3u);
  EXPECT_EQ(admission_->sources(), 2u);
  EXPECT_EQ(admission_->most_half_open(), 2u);
  one.settle();
  one.settle();
  EXPECT_EQ(admission_->open(), 3u);
  EXPECT_EQ(admission_->half_open(), 2u);
  EXPECT_EQ(admission_->most_half_open(), 1u);
  one.leave();
  one.leave();
  two.leave();
  EXPECT_EQ(admission_->open(), 1u);
  EXPECT_EQ(admission_->sources(), 1u) << "nobody is left of the first source";
  guests_.clear();
  EXPECT_EQ(admission_->open(), 0u);
  EXPECT_EQ(admission_->half_open(), 0u);
  EXPECT_EQ(admission_->most_half_open(), 0u);
  EXPECT_EQ(admission_->sources(), 0u);
}

TEST_F(AdmissionTest, TheSourceThatHasTheMostPaysForRoom) {
  limit({.connections = 100, .half_open = 10});
  Guest& good = welcome(address("192.0.2.1"));  // the oldest of all
  std::vector<Guest*> flood;
  for (int i = 0; i < 9; ++i) flood.push_back(&welcome(address("198.51.100.66")));
  EXPECT_TRUE(evict().empty());
  Guest& newcomer = welcome(address("192.0.2.2"));
  EXPECT_EQ(evict(&newcomer), std::vector{flood[0]}) << "its oldest";
  for (int i = 0; i < 50; ++i) {
    flood.push_back(&welcome(address("198.51.100.66")));
    EXPECT_EQ(evict(flood.back()), std::vector{flood[static_cast<std::size_t>(i) + 1]});
  }
  EXPECT_TRUE(good.is_half_open());
  EXPECT_TRUE(newcomer.is_half_open());
  EXPECT_EQ(admission_->half_open(), 10u);
}

TEST_F(AdmissionTest, AmongEqualsTheOldestPays) {
  limit({.connections = 100, .half_open = 3});
  Guest& first = welcome(address("192.0.2.1"));
  Guest& second = welcome(address("192.0.2.2"));
  welcome(address("192.0.2.3"));
  EXPECT_EQ(evict(&welcome(address("192.0.2.4"))), std::vector{&first});
  EXPECT_EQ(evict(&welcome(address("192.0.2.5"))), std::vector{&second});
}

TEST_F(AdmissionTest, OneSourceAloneEvictsItsOldest) {
  limit({.connections = 100, .half_open = 2});
  Guest& first = welcome(unix_peer());
  welcome(unix_peer());
  EXPECT_EQ(evict(&welcome(unix_peer())), std::vector{&first});
}

TEST_F(AdmissionTest, ALowerLimitAfterAReloadEvictsAsManyAsItTakes) {
  for (int i = 0; i < 20; ++i) welcome(address("192.0.2.1"));
  admission_->set_limits({.connections = 100, .half_open = 5});
  EXPECT_EQ(evict().size(), 15u);
}

TEST_F(AdmissionTest, AFullChannelTakesRoomFromHalfOpenOnesAndNeverFromThoseThatRelay) {
  limit({.connections = 6, .half_open = 6});
  for (int i = 0; i < 3; ++i) welcome(address("192.0.2.1")).settle();
  std::vector<Guest*> flood;
  for (int i = 0; i < 3; ++i) flood.push_back(&welcome(address("198.51.100.66")));
  EXPECT_EQ(come(address("198.51.100.66")), Answer::Full) << "who has the most cannot ask for more";
  Guest& good = welcome(address("192.0.2.2"));
  EXPECT_EQ(evict(&good), std::vector{flood[0]});
  good.settle();
  flood[1]->settle();
  flood[2]->settle();
  EXPECT_EQ(come(address("192.0.2.3")), Answer::Full) << "everybody relays";
  EXPECT_EQ(admission_->open(), 6u);
  flood[1]->leave();
  EXPECT_EQ(come(address("192.0.2.3")), Answer::Welcome);
}

TEST_F(AdmissionTest, TheLastEighthIsForThoseWhoHaveLittle) {
  limit({.connections = 80, .half_open = 80});
  for (int i = 0; i < 70; ++i) welcome(address("198.51.100.66")).settle();
  EXPECT_EQ(come(address("198.51.100.66")), Answer::ShareUsedUp);
  for (int i = 0; i < 10; ++i) welcome(address("192.0.2.1")).settle();
  EXPECT_EQ(come(address("192.0.2.2")), Answer::Full);

  limit({.connections = 80, .half_open = 80});
  for (int i = 0; i < 80; ++i) welcome(unix_peer()).settle();  // everybody there is one source
  EXPECT_EQ(come(unix_peer()), Answer::Full);

  limit({.connections = 5, .half_open = 5});
  for (int i = 0; i < 5; ++i) welcome(address("192.0.2.1")).settle();  // too few to divide
}

TEST_F(AdmissionTest, ALimitPerSource) {
  limit({.source_connections = 2});
  Guest& one = welcome(address("192.0.2.1"));
  welcome(address("192.0.2.1")).settle();
  EXPECT_EQ(come(address("192.0.2.1")), Answer::TooManyOfSource);
  EXPECT_EQ(come(address("192.0.2.2")), Answer::Welcome);
  one.leave();
  EXPECT_EQ(come(address("192.0.2.1")), Answer::Welcome);
  EXPECT_EQ(admission_->open(), 3u) << "whoever is turned away is not counted";
}

TEST_F(AdmissionTest, AProxyIsNoSourceUntilItSaysForWhom) {
  limit({.connections = 80, .half_open = 80, .source_connections = 2});
  Address proxy = address("192.0.2.1");
  std::list<Guest> through;
  for (int i = 0; i < 80; ++i)
    ASSERT_EQ(admission_->enter(through.emplace_back(), proxy, now_, Admission::For::Others), Answer::Welcome) << i;
  EXPECT_EQ(admission_->enter(through.emplace_back(), proxy, now_, Admission::For::Others), Answer::Full);
  int welcome = 0;
  for (int i = 0; i < 5; ++i) {
    through.front().leave();
    welcome += come(address("198.51.100.66")) == Answer::Welcome;
    through.pop_front();
  }
  EXPECT_EQ(welcome, 2);
}

TEST_F(AdmissionTest, EveryAnswerHasItsWords) {
  EXPECT_EQ(word(Answer::TooManyOfSource), "source-limit");
  for (Answer answer : {Answer::TooManyOfSource, Answer::ShareUsedUp, Answer::Full}) {
    EXPECT_FALSE(word(answer).empty());
    EXPECT_FALSE(explain(answer).empty());
  }
}

TEST_F(AdmissionTest, HandshakesPerSecondAndSource) {
  limit({.source_handshakes_per_second = 5});
  Guest& guest = welcome(address("192.0.2.1"));
  Guest& other = welcome(address("192.0.2.2"));
  auto begins = [&](int attempts) {
    int count = 0;
    for (int i = 0; i < attempts; ++i) count += admission_->may_begin_handshake(guest, now_);
    return count;
  };
  EXPECT_EQ(begins(20), 5) << "a second's worth at once";
  EXPECT_TRUE(admission_->may_begin_handshake(other, now_));
  now_ += 199ms;
  EXPECT_EQ(begins(20), 0);
  now_ += 1ms;
  EXPECT_EQ(begins(20), 1);
  int in_ten_seconds = 0;
  for (int i = 0; i < 1000; ++i) {
    now_ += 10ms;
    in_ten_seconds += begins(3);
  }
  EXPECT_EQ(in_ten_seconds, 50);
}

TEST_F(AdmissionTest, ReconnectingDoesNotRefillTheBucket) {
  limit({.source_handshakes_per_second = 3});
  int begun = 0;
  for (int i = 0; i < 50; ++i) {
    Guest& guest = welcome(address("192.0.2.1"));
    begun += admission_->may_begin_handshake(guest, now_);
    guest.leave();
  }
  EXPECT_EQ(begun, 3);
  EXPECT_EQ(admission_->sources(), 1u);
  now_ += 1s;
  EXPECT_EQ(come(address("192.0.2.2")), Answer::Welcome);
  EXPECT_EQ(admission_->sources(), 1u) << "a full bucket is not kept";
}

TEST_F(AdmissionTest, WithoutALimitNothingIsCountedAndNothingKept) {
  Guest& guest = welcome(address("192.0.2.1"));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(admission_->may_begin_handshake(guest, now_));
  guest.leave();
  EXPECT_EQ(admission_->sources(), 0u);
}

TEST_F(AdmissionTest, ManyNetworksOfOneSiteAreOne) {
  limit({.connections = 1'000, .half_open = 100});
  Guest& good = welcome(network(2, 1));
  for (unsigned i = 0; i < 60'000; ++i) {
    Guest& newcomer = welcome(network(1, i));
    evict(&newcomer);
    ASSERT_TRUE(good.is_half_open()) << "after " << i;
    if (guests_.size() > 2'000) guests_.erase(std::next(guests_.begin()), std::next(guests_.begin(), 1'000));
  }
  EXPECT_LE(admission_->sources(), Admission::kNetworksOfASite + 3);
}

TEST_F(AdmissionTest, NetworksOfASiteGetTheirPlaceBack) {
  for (unsigned i = 0; i < 40; ++i) welcome(network(1, i));
  EXPECT_EQ(admission_->sources(), Admission::kNetworksOfASite + 1);
  guests_.clear();
  EXPECT_EQ(admission_->sources(), 0u);
  welcome(network(1, 39));
  EXPECT_EQ(admission_->sources(), 2u) << "itself and its site";
}

TEST_F(AdmissionTest, TheTableIsBounded) {
  limit({.connections = 100'000, .half_open = 100'000}, 100);
  for (unsigned i = 0; i < 30'000; ++i) welcome(network(i, 0));
  for (unsigned i = 0; i < 250; ++i) welcome(address("192.0.2." + std::to_string(i)));
  EXPECT_LE(admission_->sources(), 101u);
  EXPECT_EQ(admission_->open(), 30'250u);
  // Whoever shares the last place is the one that has the most: a source of its own is safe from it.
  admission_->set_limits({.connections = 100'000, .half_open = 1'000});
  evict();
  EXPECT_EQ(admission_->half_open(), 1'000u);
  EXPECT_LE(admission_->sources(), 101u);
  guests_.clear();
  EXPECT_EQ(admission_->sources(), 0u);
}

TEST_F(AdmissionTest, BucketsOfManySourcesAreBoundedToo) {
  limit({.source_handshakes_per_second = 1}, 50);
  for (unsigned i = 0; i < 1'000; ++i) {
    Guest& guest = welcome(address("192.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)));
    admission_->may_begin_handshake(guest, now_);
    guest.leave();
  }
  EXPECT_LE(admission_->sources(), 51u);
  now_ += 1s;
  welcome(address("192.0.2.1"));
  EXPECT_EQ(admission_->sources(), 1u);
}

TEST_F(AdmissionTest, WhoeverComesAndGoesLeavesTheCountsRight) {
  limit({.connections = 200, .half_open = 60, .source_connections = 50, .source_handshakes_per_second = 40}, 20);
  std::vector<std::unique_ptr<Guest>> inside;
  std::uint64_t random = 88172645463325252;
  auto roll = [&](std::uint64_t sides) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random % sides;
  };
  for (int step = 0; step < 50'000; ++step) {
    now_ += std::chrono::milliseconds(roll(3));
    switch (roll(4)) {
      case 0:
      case 1: {
        auto guest = std::make_unique<Guest>();
        Address peer = roll(3) == 0 ? network(static_cast<unsigned>(roll(3)), static_cast<unsigned>(roll(40)))
                                    : address("192.0.2." + std::to_string(roll(25)));
        if (admission_->enter(*guest, peer, now_) != Answer::Welcome) break;
        admission_->may_begin_handshake(*guest, now_);
        while (Guest* victim = admission_->overcrowding(guest.get())) victim->leave();
        inside.push_back(std::move(guest));
        break;
      }
      case 2:
        if (!inside.empty()) inside[roll(inside.size())]->settle();
        break;
      default:
        if (!inside.empty()) inside.erase(inside.begin() + static_cast<std::ptrdiff_t>(roll(inside.size())));
        break;
    }
    std::erase_if(inside, [](const auto& guest) { return !guest->is_inside(); });
    unsigned half_open = 0;
    for (const auto& guest : inside) half_open += guest->is_half_open();
    ASSERT_EQ(admission_->open(), inside.size());
    ASSERT_EQ(admission_->half_open(), half_open);
    ASSERT_EQ(admission_->most_half_open() > 0, half_open > 0);
    ASSERT_LE(half_open, 60u);
    ASSERT_LE(inside.size(), 200u);
    ASSERT_LE(admission_->sources(), 21u);
  }
  inside.clear();
  now_ += 2s;
  auto last = std::make_unique<Guest>();
  ASSERT_EQ(admission_->enter(*last, unix_peer(), now_), Answer::Welcome);
  EXPECT_EQ(admission_->sources(), 1u);
}

/// Guests of several sources at one queue.
class FairQueueTest : public AdmissionTest {
 protected:
  void TearDown() override { guests_.clear(); }  // before the queue that they wait in
  Guest& waiting(const Address& peer) {
    Guest& guest = welcome(peer);
    EXPECT_FALSE(queue_.may_start(guest, turn_));
    return guest;
  }
  void next_turn() { turn_ += 1ms; }
  /// Starts so many that this turn has no room for more.
  void fill_turn() {
    for (unsigned i = 0; i < FairQueue::kPerTurn; ++i)
      EXPECT_TRUE(queue_.may_start(welcome(address("203.0.113.1")), turn_));
  }

  FairQueue queue_;
  Clock::time_point turn_{1h};
};

TEST_F(FairQueueTest, WithLittleToDoNobodyWaits) {
  for (int i = 0; i < 100; ++i) {
    fill_turn();
    EXPECT_FALSE(queue_.anybody_waits());
    next_turn();
  }
}

TEST_F(FairQueueTest, ATurnHasItsNumberAndTheNextOneGoesOn) {
  fill_turn();
  Guest& guest = waiting(address("192.0.2.1"));
  EXPECT_TRUE(guest.is_waiting());
  EXPECT_EQ(queue_.next(turn_), nullptr) << "this turn has done enough";
  next_turn();
  EXPECT_EQ(queue_.next(turn_), &guest);
  EXPECT_FALSE(guest.is_waiting());
  EXPECT_FALSE(queue_.anybody_waits());
}

TEST_F(FairQueueTest, NobodyOvertakesThoseWhoWait) {
  fill_turn();
  Guest& first = waiting(address("192.0.2.1"));
  next_turn();
  Guest& second = waiting(address("192.0.2.1"));
  EXPECT_EQ(queue_.next(turn_), &first);
  EXPECT_EQ(queue_.next(turn_), &second);
}

TEST_F(FairQueueTest, AGoodClientWaitsARoundHoweverManyAFloodHas) {
  fill_turn();
  for (int i = 0; i < 5'000; ++i) waiting(address("198.51.100.66"));
  Guest& good = waiting(address("192.0.2.1"));
  next_turn();
  std::set<Guest*> served;
  for (unsigned i = 0; i < 2; ++i) served.insert(queue_.next(turn_));
  EXPECT_TRUE(served.contains(&good)) << "one of the flood, one of the good client";
}

TEST_F(FairQueueTest, SourcesGetEqualSharesAsLongAsTheyWait) {
  fill_turn();
  std::map<Guest*, int> whose;
  for (int source = 1; source <= 4; ++source)
    for (int i = 0; i < 100 * source; ++i) whose[&waiting(address("192.0.2." + std::to_string(source)))] = source;
  std::map<int, int> served;
  for (int i = 0; i < 400; ++i) {
    if (i % static_cast<int>(FairQueue::kPerTurn) == 0) next_turn();
    ++served[whose[queue_.next(turn_)]];
  }
  for (int source = 1; source <= 4; ++source) EXPECT_EQ(served[source], 100) << source;
}

TEST_F(FairQueueTest, WhoeverLeavesLosesItsTurn) {
  fill_turn();
  Guest& first = waiting(address("192.0.2.1"));
  Guest& second = waiting(address("192.0.2.1"));
  Guest& third = waiting(address("192.0.2.2"));
  first.leave();
  third.leave();
  next_turn();
  EXPECT_EQ(queue_.next(turn_), &second);
  EXPECT_EQ(queue_.next(turn_), nullptr);
  EXPECT_FALSE(queue_.anybody_waits());
}

TEST_F(FairQueueTest, AskingTwiceIsWaitingOnce) {
  fill_turn();
  Guest& guest = waiting(address("192.0.2.1"));
  EXPECT_FALSE(queue_.may_start(guest, turn_));
  next_turn();
  EXPECT_FALSE(queue_.may_start(guest, turn_));
  EXPECT_EQ(queue_.next(turn_), &guest);
  EXPECT_EQ(queue_.next(turn_), nullptr);
}

TEST_F(FairQueueTest, ABusyKeyholderIsGivenNoMore) {
  for (unsigned i = 0; i < FairQueue::kMostAtKeyholder; ++i) queue_.key_operation_began();
  Guest& guest = waiting(address("192.0.2.1"));
  next_turn();
  EXPECT_EQ(queue_.next(turn_), nullptr);
  queue_.key_operation_ended();
  EXPECT_EQ(queue_.next(turn_), &guest);
}

}  // namespace
}  // namespace cipherway::gateway
