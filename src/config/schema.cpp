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
    {.name = "worker_memory", .type = Type::Size, .also = "memory max_memory"},
    {.name = "resolver", .type = Type::Texts, .also = "dns nameserver nameservers resolvers name_servers"},
    {.name = "status", .type = Type::Text, .also = "metrics admin stats status_listen"},
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

constexpr std::string_view kProtectRemedy = "say \"mutual-tls\", \"tls\", \"passthrough\" or \"none\"";

constexpr Key kFromKeys[] = {
    {.name = "listen",
     .type = Type::Text,
     .required = true,
     .remedy = "give HOST:PORT, [IPV6]:PORT, unix:PATH or systemd:NAME",
     .also = "bind address port accept"},
    {.name = "server_names", .type = Type::Texts, .also = "sni servername server_name hostname hosts hostnames host"},
    {.name = "protect",
     .type = Type::Text,
     .required = true,
     .remedy = kProtectRemedy,
     .also = "tls mode encrypt encryption"},
    {.name = "identity", .type = Type::Text},
    {.name = "allow", .type = Type::Texts, .also = "expect allowed clients peers"},
    {.name = "minimum_version", .type = Type::Text, .also = "min_version tls_version minimum version"},
    {.name = "alpn", .type = Type::Texts},
    {.name = "proxy_from",
     .type = Type::Texts,
     .also = "proxy_protocol accept_proxy accept-proxy set_real_ip_from real_ip"},
    {.name = "allow_plaintext", .type = Type::Flag},
};
constexpr Section kFrom{"[[channel]] from", kFromKeys};

constexpr Key kTargetKeys[] = {
    {.name = "address",
     .type = Type::Text,
     .required = true,
     .remedy = "give HOST:PORT, [IPV6]:PORT or unix:PATH",
     .also = "target server host"},
    {.name = "weight", .type = Type::Whole},
    {.name = "connections", .type = Type::Whole, .also = "max_connections max_conns maxconn"},
};
constexpr Section kTarget{"[[channel]] to.targets", kTargetKeys};

constexpr Key kToKeys[] = {
    {.name = "targets",
     .type = Type::Choices,
     .required = true,
     .remedy = "give a list of HOST:PORT, [IPV6]:PORT or unix:PATH",
     .also = "target connect backend backends upstream upstreams server servers address",
     .section = &kTarget},
    {.name = "balance", .type = Type::Text, .also = "lb algorithm load_balancing policy"},
    {.name = "slow_start", .type = Type::Duration, .also = "slowstart ramp"},
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
    {.name = "proxy_protocol", .type = Type::Text, .also = "proxy send_proxy send-proxy"},
    {.name = "allow_plaintext", .type = Type::Flag},
};
constexpr Section kTo{"[[channel]] to", kToKeys};

constexpr Key kHealthKeys[] = {
    {.name = "check",
     .type = Type::Text,
     .required = true,
     .remedy = "say \"tcp\", \"tls\" or \"http\"",
     .also = "type kind protocol"},
    {.name = "path", .type = Type::Text, .also = "uri url"},
    {.name = "host", .type = Type::Text},
    {.name = "interval", .type = Type::Duration, .also = "inter every period"},
    {.name = "timeout", .type = Type::Duration},
    {.name = "rise", .type = Type::Whole, .also = "passes healthy_threshold"},
    {.name = "fall", .type = Type::Whole, .also = "fails unhealthy_threshold"},
};
constexpr Section kHealth{"[channel.health]", kHealthKeys};

constexpr Key kEjectKeys[] = {
    {.name = "failures", .type = Type::Whole, .also = "max_fails fails errors"},
    {.name = "for", .type = Type::Duration, .also = "fail_timeout duration time"},
};
constexpr Section kEject{"[channel.eject]", kEjectKeys};

constexpr Key kTimeoutKeys[] = {
    {.name = "handshake", .type = Type::Duration},
    {.name = "connect", .type = Type::Duration},
    {.name = "idle", .type = Type::Duration, .also = "inactivity tunnel"},
    {.name = "stall", .type = Type::Duration, .also = "send write send_timeout busy"},
    {.name = "drain", .type = Type::Duration},
};
constexpr Section kTimeouts{"[[channel]] timeouts", kTimeoutKeys};

constexpr Key kLimitKeys[] = {
    {.name = "connections", .type = Type::Whole, .also = "max_connections maxconn"},
    {.name = "handshakes", .type = Type::Whole},
    {.name = "source_connections", .type = Type::Whole, .also = "connections_per_source per_ip"},
    {.name = "source_handshakes_per_second", .type = Type::Whole, .also = "source_handshakes rate source_rate"},
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
    {.name = "health", .type = Type::Table, .also = "check checks healthcheck health_check", .section = &kHealth},
    {.name = "eject", .type = Type::Table, .also = "outlier_detection", .section = &kEject},
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

constexpr const Section* kSections[] = {&kNode,   &kIdentity, &kChannel, &kFrom,     &kTo,
                                        &kTarget, &kHealth,   &kEject,   &kTimeouts, &kLimits};

}  // namespace

const Section& document_section() {
  return kDocument;
}

std::span<const Section* const> sections() {
  return kSections;
}

}  // namespace cipherway::config
