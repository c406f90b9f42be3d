#include "gateway/ticket_demand.h"

#include <gtest/gtest.h>

namespace cipherway::gateway {
namespace {

unsigned tickets_of(TicketDemand& demand, std::uint64_t source, unsigned handshakes) {
  unsigned tickets = 0;
  for (unsigned i = 0; i < handshakes; ++i) {
    tickets += demand.wants_one(source) ? 1 : 0;
    demand.was_full(source);
  }
  return tickets;
}

TEST(TicketDemandTest, WhoNeverComesBackIsGivenOneNowAndThen) {
  TicketDemand demand;
  EXPECT_EQ(tickets_of(demand, 7, TicketDemand::kPatience), TicketDemand::kPatience);
  EXPECT_EQ(tickets_of(demand, 7, TicketDemand::kEvery - 1), 0U);
  EXPECT_EQ(tickets_of(demand, 7, 1), 1U);
  EXPECT_EQ(tickets_of(demand, 7, 100 * TicketDemand::kEvery), 100U);
}

TEST(TicketDemandTest, WhoComesBackIsGivenOneEveryTime) {
  TicketDemand demand;
  tickets_of(demand, 7, 1000);
  demand.resumed(7);
  EXPECT_EQ(tickets_of(demand, 7, TicketDemand::kPatience), TicketDemand::kPatience);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(tickets_of(demand, 8, TicketDemand::kPatience), TicketDemand::kPatience);
    demand.resumed(8);
  }
}

TEST(TicketDemandTest, OneSourceSaysNothingAboutAnother) {
  TicketDemand demand;
  tickets_of(demand, 7, 1000);
  EXPECT_EQ(tickets_of(demand, 8, TicketDemand::kPatience), TicketDemand::kPatience);
}

}  // namespace
}  // namespace cipherway::gateway
