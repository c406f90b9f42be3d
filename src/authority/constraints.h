#pragma once

#include "base/bytes.h"
#include "crypto/handle.h"
#include "identity/name.h"

#include <string>
#include <string_view>
#include <vector>

namespace cipherway::authority {

/// A block of addresses as CIDR writes it: "10.0.0.0/8", "2001:db8::/32".
struct AddressBlock {
  Bytes address;        ///< 4 or 16 bytes, the host part zero
  unsigned prefix = 0;  ///< bits

  /// A single address is a block of one. Bits set behind the prefix are an Invalid error that shows the right block.
  static Result<AddressBlock> parse(std::string_view text);
  std::string to_string() const;
  bool contains(std::string_view ip) const;
  Bytes mask() const;
};

/// Which names an authority may certify: SPIFFE IDs of its trust domain; DNS names under, and addresses in, what it was
/// told at init, and none of those when it was told nothing (a trust domain is not the owner of the DNS domain that is
/// spelled the same). Checked before anything is issued, and written into the authority's own certificates as
/// nameConstraints, so that also a stolen intermediate key is held to it by those who verify.
///
/// What each verifier makes of the extension, as tests/scenarios/authority-constraints.py shows: OpenSSL honours all of
/// it; GnuTLS (3.7) honours DNS and IP, and lets every URI pass, so whoever verifies SPIFFE IDs with GnuTLS has to
/// compare the trust domain, as SPIFFE asks for anyway. A kind without a permitted block is excluded as a whole, IPv4
/// and IPv6 each, because an absent kind is permitted (RFC 5280, section 4.2.1.10), and because for GnuTLS permitted
/// IPv4 blocks say nothing about IPv6.
class Constraints {
 public:
  /// `dns`: domains ("example.org" permits it and all below it), `ip`: blocks. At most 100 each.
  static Result<Constraints> make(std::string_view trust_domain, const std::vector<std::string>& dns,
                                  const std::vector<std::string>& ip);

  /// An error that names the rule and the remedy unless the authority may certify this name.
  Result<void> check(const identity::Name& name) const;

  /// Adds the extension nameConstraints, critical.
  Result<void> add_to(X509* certificate) const;

  const std::string& trust_domain() const { return trust_domain_; }
  const std::vector<std::string>& dns() const { return dns_; }
  std::vector<std::string> ip() const;

 private:
  Constraints() = default;
  std::string trust_domain_;
  std::vector<std::string> dns_;
  std::vector<AddressBlock> ip_;
};

}  // namespace cipherway::authority
