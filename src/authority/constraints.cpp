#include "authority/constraints.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace cipherway::authority {

namespace {

constexpr std::size_t kMostPermitted = 100;

using identity::Name;
using identity::NameKind;
using NameConstraintsHandle = crypto::Handle<NAME_CONSTRAINTS, &NAME_CONSTRAINTS_free>;
using SubtreeHandle = crypto::Handle<GENERAL_SUBTREE, &GENERAL_SUBTREE_free>;
using StringHandle = crypto::Handle<ASN1_STRING, &ASN1_STRING_free>;

Bytes to_bytes(std::string_view ip) {
  std::array<std::uint8_t, 16> bytes{};
  std::string text(ip);
  if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return {bytes.begin(), bytes.begin() + 4};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return {bytes.begin(), bytes.end()};
  return {};
}

void clear_host_part(Bytes& address, unsigned prefix) {
  for (std::size_t i = 0; i < address.size(); ++i) {
    unsigned first = static_cast<unsigned>(i) * 8;
    if (prefix >= first + 8) continue;
    unsigned kept = prefix > first ? prefix - first : 0;
    address[i] = static_cast<std::uint8_t>(address[i] & (0xff00U >> kept));
  }
}

bool is_under(std::string_view name, std::string_view domain) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (!name.ends_with(domain)) return false;
  return name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.';
}

}  // namespace

Result<AddressBlock> AddressBlock::parse(std::string_view text) {
  std::size_t slash = text.find('/');
  auto name = Name::parse(text.substr(0, slash));
  if (!name || name->kind != NameKind::Ip)
    return fail(ErrorKind::Invalid,
                "\"" + std::string(text.substr(0, 64)) + "\" is not an address block; write 10.0.0.0/8");
  AddressBlock block{to_bytes(name->text), 0};
  block.prefix = static_cast<unsigned>(block.address.size()) * 8;
  if (slash != std::string_view::npos) {
    std::string_view digits = text.substr(slash + 1);
    unsigned prefix = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (error != std::errc() || end != digits.data() + digits.size() || prefix > block.prefix)
      return fail(ErrorKind::Invalid, "\"" + std::string(text.substr(0, 64)) + "\": the prefix is a number from 0 to " +
                                          std::to_string(block.prefix));
    block.prefix = prefix;
  }
  AddressBlock cleared = block;
  clear_host_part(cleared.address, cleared.prefix);
  if (cleared.address != block.address)
    return fail(ErrorKind::Invalid,
                "\"" + std::string(text) + "\" has bits behind its prefix; did you mean " + cleared.to_string() + "?");
  return block;
}

std::string AddressBlock::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text.data(), text.size());
  return std::string(text.data()) + "/" + std::to_string(prefix);
}

bool AddressBlock::contains(std::string_view ip) const {
  Bytes bytes = to_bytes(ip);
  if (bytes.size() != address.size()) return false;
  clear_host_part(bytes, prefix);
  return bytes == address;
}

Bytes AddressBlock::mask() const {
  Bytes mask(address.size(), 0xff);
  clear_host_part(mask, prefix);
  return mask;
}

Result<Constraints> Constraints::make(std::string_view trust_domain, const std::vector<std::string>& dns,
                                      const std::vector<std::string>& ip) {
  TRY(identity::check_trust_domain(trust_domain));
  if (dns.size() > kMostPermitted || ip.size() > kMostPermitted)
    return fail(ErrorKind::Limit, "at most 100 DNS domains and 100 address blocks can be permitted");
  Constraints constraints;
  constraints.trust_domain_ = trust_domain;
  for (const std::string& domain : dns) {
    Name name = TRY_IN("permit DNS", Name::parse(domain));
    if (name.kind != NameKind::Dns || name.text.starts_with("*."))
      return fail(ErrorKind::Invalid,
                  "permit DNS: \"" + name.text + "\" is not a domain; write example.org for it and all below it");
    constraints.dns_.push_back(std::move(name.text));
  }
  for (const std::string& block : ip) constraints.ip_.push_back(TRY_IN("permit IP", AddressBlock::parse(block)));
  return constraints;
}

std::vector<std::string> Constraints::ip() const {
  std::vector<std::string> blocks;
  for (const AddressBlock& block : ip_) blocks.push_back(block.to_string());
  return blocks;
}

Result<void> Constraints::check(const Name& name) const {
  auto permitted_at_init = [](std::string_view option) {
    return "; an authority is told what it may certify when it is made (authority init " + std::string(option) + ")";
  };
  switch (name.kind) {
    case NameKind::Spiffe:
      if (identity::trust_domain_of(name) == trust_domain_) return {};
      return fail(ErrorKind::Denied, name.text + " is outside the trust domain " + trust_domain_ +
                                         "; use the authority of that trust domain");
    case NameKind::Dns:
      if (std::ranges::any_of(dns_, [&](const std::string& domain) { return is_under(name.text, domain); })) return {};
      return fail(ErrorKind::Denied,
                  "the DNS name " + name.text + " is not permitted" + permitted_at_init("--permit-dns DOMAIN"));
    case NameKind::Ip:
      if (std::ranges::any_of(ip_, [&](const AddressBlock& block) { return block.contains(name.text); })) return {};
      return fail(ErrorKind::Denied,
                  "the address " + name.text + " is not permitted" + permitted_at_init("--permit-ip BLOCK"));
  }
  broken("NameKind out of range");
}

namespace {

/// Adds one subtree to a list (RFC 5280, section 4.2.1.10: minimum 0, maximum absent).
bool add_subtree(STACK_OF(GENERAL_SUBTREE) * &list, int type, BytesView value) {
  if (list == nullptr) list = sk_GENERAL_SUBTREE_new_null();
  SubtreeHandle subtree(GENERAL_SUBTREE_new());
  StringHandle text(ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  if (list == nullptr || !subtree || !text ||
      ASN1_STRING_set(text.get(), value.data(), static_cast<int>(value.size())) != 1)
    return false;
  GENERAL_NAME_set0_value(subtree->base, type, text.release());
  return sk_GENERAL_SUBTREE_push(list, subtree.get()) > 0 && subtree.release() != nullptr;
}

bool add_block(STACK_OF(GENERAL_SUBTREE) * &list, const AddressBlock& block) {
  Bytes value = block.address;
  Bytes mask = block.mask();
  value.insert(value.end(), mask.begin(), mask.end());
  return add_subtree(list, GEN_IPADD, value);
}

}  // namespace

Result<void> Constraints::add_to(X509* certificate) const {
  NameConstraintsHandle constraints(NAME_CONSTRAINTS_new());
  if (!constraints) return crypto::fail_openssl("make name constraints");
  auto& permitted = constraints->permittedSubtrees;
  auto& excluded = constraints->excludedSubtrees;
  bool added = add_subtree(permitted, GEN_URI, as_bytes(trust_domain_));
  for (const std::string& domain : dns_) added = added && add_subtree(permitted, GEN_DNS, as_bytes(domain));
  if (dns_.empty()) added = added && add_subtree(excluded, GEN_DNS, {});
  for (std::size_t size : {4U, 16U}) {
    bool any = false;
    for (const AddressBlock& block : ip_) {
      if (block.address.size() != size) continue;
      any = true;
      added = added && add_block(permitted, block);
    }
    if (!any) added = added && add_block(excluded, AddressBlock{Bytes(size), 0});
  }
  if (!added || X509_add1_ext_i2d(certificate, NID_name_constraints, constraints.get(), 1, X509V3_ADD_DEFAULT) != 1)
    return crypto::fail_openssl("add name constraints");
  return {};
}

}  // namespace cipherway::authority
