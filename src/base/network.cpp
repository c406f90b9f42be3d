#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

namespace cipherway {

namespace {

unsigned width(int family) {
  return family == AF_INET ? 32 : 128;
}

/// Whether the first `bits` bits are equal.
bool same_prefix(const std::uint8_t* a, const std::uint8_t* b, unsigned bits) {
  if (!std::equal(a, a + bits / 8, b)) return false;
  unsigned rest = bits % 8;
  return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

}  // namespace

Result<Network> Network::parse(std::string_view text) {
  auto no = [&](std::string_view why) {
    return fail(ErrorKind::Invalid, "\"" + std::string(text) + "\" is not a network: " + std::string(why) +
                                        "; write 10.0.0.0/8, 2001:db8::/32, an address, or unix");
  };
  Network network;
  if (text == "unix") {
    network.family_ = AF_UNIX;
    return network;
  }
  std::size_t slash = text.find('/');
  std::string host(text.substr(0, slash));
  if (::inet_pton(AF_INET, host.c_str(), network.bytes_.data()) == 1) {
    network.family_ = AF_INET;
  } else if (::inet_pton(AF_INET6, host.c_str(), network.bytes_.data()) == 1) {
    network.family_ = AF_INET6;
  } else {
    return no("that is not an IP address");
  }
  network.prefix_ = width(network.family_);
  if (slash != std::string_view::npos) {
    std::string_view prefix = text.substr(slash + 1);
    auto [end, error] = std::from_chars(prefix.data(), prefix.data() + prefix.size(), network.prefix_);
    if (error != std::errc() || end != prefix.data() + prefix.size() || network.prefix_ > width(network.family_))
      return no("the prefix is not a number from 0 to " + std::to_string(width(network.family_)));
  }
  if (network.family_ == AF_INET6 && IN6_IS_ADDR_V4MAPPED(reinterpret_cast<const in6_addr*>(network.bytes_.data())) &&
      network.prefix_ >= 96)
    return no("write the IPv4 network that it maps to");
  Network whole = network;
  for (unsigned bit = network.prefix_; bit < 128; ++bit)
    whole.bytes_[bit / 8] = static_cast<std::uint8_t>(whole.bytes_[bit / 8] & ~(0x80U >> (bit % 8)));
  if (whole.bytes_ != network.bytes_)
    return no("bits beyond the prefix are set; did you mean " + whole.to_string() + "?");
  return network;
}

bool Network::contains(const Address& address) const {
  if (address.family() != AF_INET && address.family() != AF_INET6) return family_ != 0 && address.family() == family_;
  if (address.family() == AF_INET) {
    const auto& four = reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr;
    return family_ == AF_INET && same_prefix(bytes_.data(), reinterpret_cast<const std::uint8_t*>(&four), prefix_);
  }
  const auto& six = reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&six)) return family_ == AF_INET && same_prefix(bytes_.data(), six.s6_addr + 12, prefix_);
  return family_ == AF_INET6 && same_prefix(bytes_.data(), six.s6_addr, prefix_);
}

bool Network::contains(const Network& other) const {
  return family_ == other.family_ && prefix_ <= other.prefix_ &&
         same_prefix(bytes_.data(), other.bytes_.data(), prefix_);
}

std::string Network::to_string() const {
  if (family_ == AF_UNIX) return "unix";
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family_, bytes_.data(), text, sizeof text);
  return std::string(text) + "/" + std::to_string(prefix_);
}

}  // namespace cipherway
