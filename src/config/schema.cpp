#include "config/schema.h"

namespace cipherway::config {

namespace {

constexpr Key kNodeKeys[] = {
    {.name = "state",
     .type = Type::Text,
     .required = true,
     .remedy = "give a directory for the control socket",
     .also = "directory dir state_dir"},
    {.name = "user", .type = Type::Text, .also = "run_as setuid"},
    {.name = "workers", .type = Type::Whole, .also = "threads processes"},
    {.name = "status", .type = Type::Text, .instead = "ask the node with `cipherway status`"},
};
constexpr Section kNode{"[node]", kNodeKeys};

constexpr Key kIdentityKeys[] = {
    {.name = "names", .type = Type::Texts},
    {.name = "certificate",
     .type = Type::Text,
     .required = true,
     .remedy = "give the PEM file of the certificate chain, leaf first",
     .also = "cert chain cert_file certificate_file certificate_chain"},
    {.name = "key",
     .type = Type::Text,
     .required = true,
     .remedy = "give the PEM file of the private key; only the keyholder opens it",
     .also = "private_key key_file private_key_file"},
    {.name = "trust", .type = Type::Text, .also = "ca cacert ca_cert ca_file ca_bundle bundle roots trust_bundle"},
    {.name = "authority", .type = Type::Text, .instead = "give certificate, key and trust as files"},
    {.name = "acme", .type = Type::Text, .instead = "give certificate, key and trust as files"},
};
constexpr Section kIdentity{"[identity.NAME]", kIdentityKeys};

constexpr std::string_view kProtectRemedy = "say \"tls\", \"mutual-tls\" or \"none\"";

constexpr Key kFromKeys[] = {
    {.name = "listen",
     .type = Type::Text,
     .required = true,
     .remedy = "give HOST:PORT, [IPV6]:PORT or unix:PATH",
     .also = "bind address port accept"},
    {.name = "protect",
     .type = Type::Text,
     .required = true,
     .remedy = kProtectRemedy,
     .also = "tls mode encrypt encryption"},
    {.name = "identity", .type = Type::Text},
    {.name = "allow", .type = Type::Texts, .also = "expect allowed clients peers"},
    {.name = "minimum_version", .type = Type::Text, .also = "min_version tls_version minimum version"},
    {.name = "alpn", .type = Type::Texts},
    {.name = "allow_plaintext", .type = Type::Flag},
};
constexpr Section kFrom{"[[channel]] from", kFromKeys};

constexpr Key kToKeys[] = {
    {.name = "targets",
     .type = Type::Texts,
     .required = true,
     .remedy = "give a list of HOST:PORT, [IPV6]:PORT or unix:PATH",
     .also = "target connect backend backends upstream upstreams server servers address"},
    {.name = "protect",
     .type = Type::Text,
     .required = true,
     .remedy = kProtectRemedy,
     .also = "tls mode encrypt encryption"},
    {.name = "identity", .type = Type::Text},
    {.name = "expect", .type = Type::Texts, .also = "allow expected verify peers names"},
    {.name = "trust", .type = Type::Text, .also = "ca cacert ca_cert ca_file ca_bundle bundle roots trust_bundle"},
    {.name = "server_name", .type = Type::Text, .also = "sni servername hostname host"},
    {.name = "minimum_version", .type = Type::Text, .also = "min_version tls_version minimum version"},
    {.name = "alpn", .type = Type::Texts},
    {.name = "allow_plaintext", .type = Type::Flag},
    {.name = "balance", .type = Type::Text, .instead = "targets are tried in the order in which they are written"},
};
constexpr Section kTo{"[[channel]] to", kToKeys};

constexpr Key kTimeoutKeys[] = {
    {.name = "handshake", .type = Type::Duration},
    {.name = "connect", .type = Type::Duration},
    {.name = "idle", .type = Type::Duration},
    {.name = "drain", .type = Type::Duration},
};
constexpr Section kTimeouts{"[[channel]] timeouts", kTimeoutKeys};

constexpr Key kLimitKeys[] = {
    {.name = "connections", .type = Type::Whole, .also = "max_connections maxconn"},
    {.name = "handshakes", .type = Type::Whole},
};
constexpr Section kLimits{"[[channel]] limits", kLimitKeys};

constexpr Key kChannelKeys[] = {
    {.name = "name", .type = Type::Text, .required = true, .remedy = "logs and `cipherway status` need one"},
    {.name = "from",
     .type = Type::Table,
     .required = true,
     .remedy = "say where the channel listens: from = { listen = \"HOST:PORT\", protect = \"tls\", ... }",
     .section = &kFrom},
    {.name = "to",
     .type = Type::Table,
     .required = true,
     .remedy = "say where the channel leads: to = { targets = [\"HOST:PORT\"], protect = \"none\" }",
     .section = &kTo},
    {.name = "timeouts", .type = Type::Table, .section = &kTimeouts},
    {.name = "limits", .type = Type::Table, .section = &kLimits},
};
constexpr Section kChannel{"[[channel]]", kChannelKeys};

constexpr Key kDocumentKeys[] = {
    {.name = "node",
     .type = Type::Table,
     .required = true,
     .remedy = "every node needs a [node] with a state directory",
     .section = &kNode},
    {.name = "identity", .type = Type::NamedTables, .section = &kIdentity},
    {.name = "channel",
     .type = Type::Tables,
     .required = true,
     .remedy = "a node without a [[channel]] would carry nothing",
     .section = &kChannel},
    {.name = "segment", .type = Type::Tables, .instead = "protect hosts with channels of \"tls\" or \"mutual-tls\""},
};
constexpr Section kDocument{"", kDocumentKeys};

constexpr const Section* kSections[] = {&kNode, &kIdentity, &kChannel, &kFrom, &kTo, &kTimeouts, &kLimits};

}  // namespace

const Section& document_section() {
  return kDocument;
}

std::span<const Section* const> sections() {
  return kSections;
}

}  // namespace cipherway::config
