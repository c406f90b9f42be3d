#include "base/log.h"

#include "base/secret_bytes.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace cipherway::log {
namespace {

static_assert(!std::is_constructible_v<Field, std::string_view, const SecretBytes&>, "a secret must not be loggable");
static_assert(std::is_constructible_v<Field, std::string_view, std::string>, "the control: text is");

std::string after_pid(const std::string& text) {
  return text.substr(text.find(',', text.find("\"pid\":")) + 1);
}

TEST(LogTest, WritesOneObjectWithTheFieldsInOrder) {
  std::string text = line(Level::Warn, "some.event", {{"text", "a"}, {"number", 7}, {"yes", true}, {"real", 0.5}});
  EXPECT_TRUE(text.starts_with("{\"ts\":\"20")) << text;
  EXPECT_NE(text.find("\"level\":\"warn\",\"event\":\"some.event\",\"process\":"), std::string::npos) << text;
  EXPECT_EQ(after_pid(text), "\"text\":\"a\",\"number\":7,\"yes\":true,\"real\":0.5}");
}

TEST(LogTest, NothingInAFieldCanEndItOrTheLine) {
  std::string text = line(Level::Info, "e", {{"peer", std::string_view("\",\"level\":\"x\n\r\\\0\x1b[2J", 20)}});
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(after_pid(text), R"("peer":"\",\"level\":\"x\u000a\u000d\\\u0000\u001b[2J"})");
}

TEST(LogTest, TextIsUtf8WhateverThePeerSent) {
  EXPECT_EQ(after_pid(line(Level::Info, "e", {{"t", "gr\xc3\xbc\xc3\x9f"}})), "\"t\":\"gr\xc3\xbc\xc3\x9f\"}");
  // A lone continuation byte, an overlong slash and a surrogate.
  EXPECT_EQ(after_pid(line(Level::Info, "e", {{"t", "\x80\xc0\xaf\xed\xa0\x80"}})),
            R"("t":"\u0080\u00c0\u00af\u00ed\u00a0\u0080"})");
}

TEST(LogTest, LongFieldsAreCutAndALineStaysBelowItsLimit) {
  std::string endless(100'000, 'x');
  std::string text = line(Level::Info, "e", {{"a", endless}});
  EXPECT_LT(text.size(), kMostFieldBytes + 200);
  std::string control(600, '\1');  // six bytes each when escaped
  text = line(Level::Info, "e", {{"a", control}, {"b", control}, {"c", control}, {"d", control}});
  EXPECT_LE(text.size(), kMostLineBytes);
  EXPECT_TRUE(text.ends_with(",\"cut\":true}")) << text;
}

}  // namespace
}  // namespace cipherway::log
