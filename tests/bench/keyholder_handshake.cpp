// What does it cost to keep the private key in another process? One full TLS 1.3 handshake over memory BIOs, both ends
// in this process, the server's key either here or in a keyholder that is a process of its own. The time is CPU time of
// both processes together; tools/bench prints the ratio.

#include "crypto/kdf.h"
#include "keyholder/client.h"
#include "keyholder/holder.h"

#include <benchmark/benchmark.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

namespace {

using namespace cipherway;
using SslContext = crypto::Handle<SSL_CTX, &SSL_CTX_free>;
using Ssl = crypto::Handle<SSL, &SSL_free>;

crypto::CertificateHandle self_signed(const crypto::KeyHandle& key) {
  crypto::CertificateHandle certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("bench"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  X509_set_pubkey(certificate.get(), key.get());
  if (X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0) broken("no certificate");
  return certificate;
}

double cpu_seconds(pid_t process) {
  clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
  if (process != 0 && ::clock_getcpuclockid(process, &clock) != 0) broken("the keyholder has no clock: it is gone");
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// A keyholder without a sandbox, in a child process, with one identity "server".
class KeyholderProcess {
 public:
  KeyholderProcess(event::EventLoop& loop, const crypto::KeyHandle& key) : loop_(loop) {
    SocketPair control = *stream_pair();
    // A child inherits no SecretBytes, so this throwaway key goes to it in ordinary memory.
    std::string pem(as_text(crypto::private_key_to_pem(key)->view()));
    pid_ = ::fork();
    if (pid_ == 0) {
      control.ours.reset();
      event::EventLoop own;
      keyholder::Holder holder(own, std::move(control.theirs),
                               {.read_key_file = [&](const std::string&) -> Result<SecretBytes> {
                                  return SecretBytes::copy_of(as_bytes(pem));
                                },
                                .seal = [](const keyholder::Seal&) -> Result<keyholder::Holder::Sandbox> {
                                  return keyholder::Holder::Sandbox{};
                                },
                                .ended = [](const Error&) { ::_exit(0); }});
      own.run();
      ::_exit(1);
    }
    supervisor_ = std::make_unique<event::FrameSocket>(
        loop, std::move(control.ours),
        event::FrameSocket::Callbacks{
            .most_payload = [](std::uint8_t) -> Result<std::size_t> { return event::FrameSocket::kMostPayload; },
            .received = [this](event::Frame frame) { answered_ = frame.type; },
            .closed = [](const Error&) { broken("the keyholder ended"); }});
    ask(keyholder::Request::LoadIdentity,
        keyholder::LoadIdentity{"server", "server.key", *crypto::public_key_der(key.get())}.encode());
    ask(keyholder::Request::Seal, keyholder::Seal{}.encode());
  }
  ~KeyholderProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  KeyholderProcess(const KeyholderProcess&) = delete;
  KeyholderProcess& operator=(const KeyholderProcess&) = delete;

  Fd admit_us() {
    SocketPair pair = *stream_pair();
    ask(keyholder::Request::Admit,
        keyholder::Admit{::getpid(), ::geteuid(), keyholder::Role::Gateway, false, {"server"}, {}}.encode(),
        std::move(pair.theirs));
    return std::move(pair.ours);
  }
  pid_t pid() const { return pid_; }

 private:
  void ask(keyholder::Request request, BytesView payload, Fd descriptor = {}) {
    answered_ = 0;
    supervisor_->send(static_cast<std::uint8_t>(request), 1, payload, std::move(descriptor));
    while (answered_ == 0) loop_.turn(std::chrono::milliseconds(100));
    if (answered_ != static_cast<std::uint8_t>(keyholder::Reply::Done)) broken("the keyholder refuses");
  }

  event::EventLoop& loop_;
  pid_t pid_ = -1;
  std::unique_ptr<event::FrameSocket> supervisor_;
  std::uint8_t answered_ = 0;
};

struct Waiter final : keyholder::SignatureWaiter {
  void signature_ready() override { ready = true; }
  bool ready = false;
};

void pass(SSL* from, SSL* to) {
  char buffer[16384];
  for (int got; (got = BIO_read(SSL_get_wbio(from), buffer, sizeof buffer)) > 0;)
    BIO_write(SSL_get_rbio(to), buffer, got);
}

Ssl make_end(SSL_CTX* context) {
  Ssl ssl(SSL_new(context));
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  return ssl;
}

/// One handshake; `client` is empty when the key is in this process.
void shake(event::EventLoop& loop, SSL_CTX* server_context, SSL_CTX* client_context, keyholder::Client* keyholder) {
  Ssl server = make_end(server_context), client = make_end(client_context);
  if (keyholder != nullptr) SSL_set_mode(server.get(), SSL_MODE_ASYNC);
  bool server_done = false, client_done = false;
  Waiter waiter;
  for (int round = 0; round < 20 && !(server_done && client_done); ++round) {
    client_done = SSL_connect(client.get()) == 1;
    pass(client.get(), server.get());
    for (;;) {
      std::optional<keyholder::Client::Waiting> waiting;
      if (keyholder != nullptr) waiting.emplace(*keyholder, waiter);
      int result = SSL_accept(server.get());
      server_done = result == 1;
      if (SSL_get_error(server.get(), result) != SSL_ERROR_WANT_ASYNC) break;
      while (!waiter.ready) loop.turn(std::chrono::milliseconds(100));
      waiter.ready = false;
    }
    pass(server.get(), client.get());
  }
  if (!server_done || !client_done) broken("the handshake fails");
}

void full_handshake(benchmark::State& state, crypto::KeyType type, bool in_keyholder) {
  event::EventLoop loop;
  auto generated = crypto::generate_key(type, 2048);
  if (!generated) broken(generated.error().what.c_str());
  crypto::KeyHandle key = *std::move(generated);
  crypto::CertificateHandle certificate = self_signed(key);
  SslContext server(SSL_CTX_new(TLS_server_method())), client(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_num_tickets(server.get(), 0);
  std::unique_ptr<KeyholderProcess> process;
  std::unique_ptr<keyholder::Client> keyholder;
  if (in_keyholder) {
    process = std::make_unique<KeyholderProcess>(loop, key);
    keyholder = std::make_unique<keyholder::Client>(loop, process->admit_us(), [] { broken("keyholder lost"); });
    crypto::KeyHandle public_key(X509_get_pubkey(certificate.get()));
    key = *keyholder->key_for("server", public_key);
  }
  SSL_CTX_use_certificate(server.get(), certificate.get());
  if (SSL_CTX_use_PrivateKey(server.get(), key.get()) != 1) broken("the key does not fit");

  auto spent = [&] { return cpu_seconds(0) + (process ? cpu_seconds(process->pid()) : 0); };
  for (auto _ : state) {
    double before = spent();
    shake(loop, server.get(), client.get(), keyholder.get());
    state.SetIterationTime(spent() - before);
  }
}

BENCHMARK_CAPTURE(full_handshake, p256_key_in_process, crypto::KeyType::P256, false)->UseManualTime();
BENCHMARK_CAPTURE(full_handshake, p256_key_in_keyholder, crypto::KeyType::P256, true)->UseManualTime();
BENCHMARK_CAPTURE(full_handshake, rsa2048_key_in_process, crypto::KeyType::Rsa, false)->UseManualTime();
BENCHMARK_CAPTURE(full_handshake, rsa2048_key_in_keyholder, crypto::KeyType::Rsa, true)->UseManualTime();

}  // namespace
