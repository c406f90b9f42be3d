#include "node/http_request.h"

#include <gtest/gtest.h>

namespace cipherway::node {
namespace {

TEST(HttpRequest, IsAGetOrAHead) {
  auto get = parse_request("GET /healthz?channel=a%20b+c&x HTTP/1.1\r\nHost: localhost:9090\r\nAccept: */*\r\n\r\n");
  ASSERT_TRUE(get);
  EXPECT_FALSE(get->head);
  EXPECT_EQ(get->path, "/healthz");
  EXPECT_EQ(get->parameter("channel"), "a b c");
  EXPECT_EQ(get->parameter("x"), "");
  EXPECT_EQ(get->parameter("y"), std::nullopt);
  EXPECT_EQ(get->host, "localhost:9090");
  auto head = parse_request("HEAD /a%2Fb HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(head);
  EXPECT_TRUE(head->head);
  EXPECT_EQ(head->path, "/a/b");
  EXPECT_FALSE(head->host);
}

TEST(HttpRequest, EndsWithAnEmptyLine) {
  EXPECT_EQ(end_of_head("GET / HTTP/1.1\r\nHost: a\r\n"), 0);
  EXPECT_EQ(end_of_head("GET / HTTP/1.0\r\n\r\nrest"), 18);
}

TEST(HttpRequest, IsRefusedForWhatItIs) {
  struct {
    const char* head;
    int status;
  } cases[] = {
      {"", 400},
      {"\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / SPDY/1\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\n\r\n", 400},                        // no Host
      {"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400},  // two of them
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400},
      {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},  // as a proxy would be asked
      {"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
      {"OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
      {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
  };
  for (const auto& each : cases) {
    auto parsed = parse_request(each.head);
    ASSERT_FALSE(parsed) << each.head;
    EXPECT_EQ(parsed.error(), each.status) << each.head;
  }
}

}  // namespace
}  // namespace cipherway::node
