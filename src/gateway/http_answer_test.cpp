#include "gateway/http_answer.h"

#include <gtest/gtest.h>

#include <string>

namespace cipherway::gateway {
namespace {

using State = HttpAnswer::State;

TEST(HttpAnswerTest, ReadsTheStatus) {
  for (auto [text, status] : {std::pair{"HTTP/1.1 200 OK\r\nServer: x\r\n", 200},
                              {"HTTP/1.0 204\r\n", 204},
                              {"HTTP/1.1 301 \n", 301},
                              {"HTTP/1.1 503 Service Unavailable\r\n", 503}}) {
    auto answer = HttpAnswer::parse(text);
    EXPECT_EQ(answer.state, State::Status) << text;
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.is_good(), status < 400) << text;
  }
}

TEST(HttpAnswerTest, WaitsForTheWholeLine) {
  std::string whole = "HTTP/1.1 200 OK\r\n";
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_EQ(HttpAnswer::parse(whole.substr(0, n)).state, State::Incomplete) << n;
  EXPECT_EQ(HttpAnswer::parse("HTTP/1.1 100 Continue\r\n").status, 100);
  EXPECT_FALSE(HttpAnswer::parse("HTTP/1.1 100 Continue\r\n").is_good());
}

TEST(HttpAnswerTest, AnythingElseIsNotHttp) {
  for (const char* text :
       {"SSH-2.0-OpenSSH", "HTTP/2 200\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2000\r\n", "HTTP/1.1200 OK\r\n",
        "HTTP/1.x 200 OK\r\n", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 020 OK\r\n", "HTTP/1.\r\n", "\n"})
    EXPECT_EQ(HttpAnswer::parse(text).state, State::Broken) << text;
  EXPECT_EQ(HttpAnswer::parse("HTTP/1.1 200 " + std::string(2000, 'x')).state, State::Broken);
}

}  // namespace
}  // namespace cipherway::gateway
