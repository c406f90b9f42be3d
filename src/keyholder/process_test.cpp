#include "keyholder/test_control.h"
#include "keyholder/test_handshake.h"
#include "keyholder/ticket_epoch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>

// The real program as a child process, with real key files and its sandbox.
namespace cipherway::keyholder {
namespace {

class Process : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cipherway-keyholder-XXXXXX";
    folder_ = ::mkdtemp(name);
    SocketPair pair = *stream_pair();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      int log = ::open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      ::dup2(log, 2);
      if (::dup2(pair.theirs.get(), kSupervisorDescriptor) < 0) ::_exit(99);
      ::fcntl(kSupervisorDescriptor, F_SETFD, 0);  // also if it had that number before
      ::execl(KEYHOLDER_BINARY, "cipherway-keyholder", nullptr);
      ::_exit(98);
    }
    pair.theirs.reset();
    control_ = std::make_unique<Control>(loop_, std::move(pair.ours), [&](Error error) { lost_ = std::move(error); });
  }

  void TearDown() override {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }

  /// Waits for the answer of a request that `ask` sends.
  Result<void> wait(const std::function<void(Control::Done)>& ask) {
    std::optional<Result<void>> answer;
    ask([&](Result<void> result) { answer = std::move(result); });
    for (int i = 0; i < 500 && !answer; ++i) loop_.turn(std::chrono::milliseconds(10));
    return answer ? *answer : fail(ErrorKind::TimedOut, "no answer");
  }

  Result<void> load(const std::string& name, const crypto::KeyHandle& key, unsigned mode = 0600) {
    std::string path = folder_ + "/" + name + ".key";
    EXPECT_TRUE(write_file(path, crypto::private_key_to_pem(key)->view(), mode));
    return load_from(name, path, key);
  }
  Result<void> load_from(const std::string& name, const std::string& path, const crypto::KeyHandle& key) {
    return wait([&](auto done) { control_->load_identity({name, path, *crypto::public_key_der(key.get())}, done); });
  }
  Result<void> seal() {
    Seal request;
    if (::geteuid() == 0) request.become = Seal::User{65534, 65534};
    return wait([&](auto done) { control_->seal(request, done); });
  }
  Result<Fd> admit(std::vector<std::string> identities) {
    SocketPair pair = *stream_pair();
    Admit request{::getpid(), ::geteuid(), Role::Gateway, false, std::move(identities), {"service"}};
    TRY(wait([&](auto done) { control_->admit(request, std::move(pair.theirs), done); }));
    return std::move(pair.ours);
  }
  Result<Status> status() {
    std::optional<Result<Status>> answer;
    control_->status([&](Result<Status> result) { answer = std::move(result); });
    for (int i = 0; i < 500 && !answer; ++i) loop_.turn(std::chrono::milliseconds(10));
    return answer ? *answer : fail(ErrorKind::TimedOut, "no answer");
  }

  std::string proc_status() { return *read_file_of_proc("status"); }
  Result<std::string> read_file_of_proc(const std::string& what) {
    Fd fd(::open(("/proc/" + std::to_string(pid_) + "/" + what).c_str(), O_RDONLY));
    if (!fd) return fail_errno("open /proc");
    std::string text(65536, '\0');
    ssize_t got = ::read(fd.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  /// The exit code, or minus the signal; nothing if it still runs.
  std::optional<int> ending(int most_milliseconds) {
    for (int i = 0; i < most_milliseconds; i += 10) {
      int how = 0;
      if (::waitpid(pid_, &how, WNOHANG) == pid_) {
        pid_ = -1;
        return WIFSIGNALED(how) ? -WTERMSIG(how) : WEXITSTATUS(how);
      }
      loop_.turn(std::chrono::milliseconds(10));
    }
    return std::nullopt;
  }

  event::EventLoop loop_;
  std::string folder_;
  pid_t pid_ = -1;
  std::unique_ptr<Control> control_;
  std::optional<Error> lost_;
};

TEST_F(Process, ServesAHandshakeFromItsSandbox) {
  auto server_key = *crypto::generate_key(crypto::KeyType::P256);
  auto client_key = *crypto::generate_key(crypto::KeyType::Rsa, 2048);
  auto loaded = load("server", server_key);
  ASSERT_TRUE(loaded) << loaded.error().what;
  ASSERT_TRUE(load("client", client_key));
  auto sealed = seal();
  ASSERT_TRUE(sealed) << sealed.error().what;

  auto server_socket = admit({"server"});
  ASSERT_TRUE(server_socket) << server_socket.error().what;
  Client server_side(loop_, *std::move(server_socket), [] {});
  Client client_side(loop_, *admit({"client"}), [] {});
  auto server_certificate = self_signed(server_key, crypto::KeyType::P256);
  auto client_certificate = self_signed(client_key, crypto::KeyType::Rsa);
  constexpr const char* kAlgorithms = "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256";
  auto server_context = context(server_side, "server", server_certificate, true, TLS1_3_VERSION, kAlgorithms);
  auto client_context = context(client_side, "client", client_certificate, false, TLS1_3_VERSION, kAlgorithms);
  for (int i = 0; i < 20; ++i) {
    End server(server_side, server_context.get(), true);
    End client(client_side, client_context.get(), false);
    shake(loop_, client, server, 200);
    ASSERT_EQ(server.state, End::State::Done) << server.reason;
    ASSERT_EQ(client.state, End::State::Done) << client.reason;
  }
  std::optional<Result<SecretBytes>> ticket_key;
  server_side.ticket_key("service", ticket_epoch_at(WallClock::now()), [&](auto key) { ticket_key = std::move(key); });
  for (int i = 0; i < 100 && !ticket_key; ++i) loop_.turn(std::chrono::milliseconds(10));
  ASSERT_TRUE(ticket_key) << "no answer";
  ASSERT_TRUE(*ticket_key) << ticket_key->error().what;
  EXPECT_EQ((*ticket_key)->size(), 80u);

  auto said = status();
  ASSERT_TRUE(said) << said.error().what;
  EXPECT_EQ(said->pid, pid_);
  EXPECT_TRUE(said->sealed);
  EXPECT_TRUE(said->syscalls_restricted);
  ASSERT_EQ(said->identities.size(), 2u);
  EXPECT_EQ(said->identities[0].signatures, 20u);
  EXPECT_EQ(said->identities[1].signatures, 20u);
  EXPECT_EQ(said->peers.size(), 2u);

  // The kernel's view agrees.
  std::string kernel = proc_status();
  EXPECT_NE(kernel.find("Seccomp:\t2"), std::string::npos) << kernel;
  EXPECT_NE(kernel.find("NoNewPrivs:\t1"), std::string::npos) << kernel;
  if (::geteuid() == 0) {
    EXPECT_NE(kernel.find("Uid:\t65534\t65534\t65534\t65534"), std::string::npos) << kernel;
    EXPECT_NE(kernel.find("CapEff:\t0000000000000000"), std::string::npos) << kernel;
  }
}

TEST_F(Process, EndsWithItsSupervisorAndNotWithSignals) {
  ASSERT_TRUE(seal());
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) ::kill(pid_, signal);
  EXPECT_TRUE(status());
  control_.reset();
  EXPECT_EQ(ending(5000), 0);
}

TEST_F(Process, RefusesKeyFilesThatOthersMayRead) {
  auto key = *crypto::generate_key(crypto::KeyType::P256);
  for (unsigned mode : {0640u, 0604u, 0620u, 0666u}) {
    auto loaded = load("shop", key, mode);
    ASSERT_FALSE(loaded) << mode;
    EXPECT_NE(loaded.error().what.find("chmod 600"), std::string::npos) << loaded.error().what;
  }
  EXPECT_TRUE(load("shop", key, 0400));
}

TEST_F(Process, SaysWhatIsWrongWithAKeyFile) {
  auto key = *crypto::generate_key(crypto::KeyType::P256);
  auto other = *crypto::generate_key(crypto::KeyType::P256);
  auto refusal = [&](const std::string& content, const crypto::KeyHandle& expected) {
    std::string path = folder_ + "/file.key";
    EXPECT_TRUE(write_file(path, as_bytes(content), 0600));
    auto loaded = load_from("shop", path, expected);
    return loaded ? std::string() : loaded.error().what;
  };
  auto pem_bytes = *crypto::private_key_to_pem(key);
  std::string pem(as_text(pem_bytes.view()));
  EXPECT_NE(refusal(pem, other).find("not the private key of the certificate"), std::string::npos);
  EXPECT_NE(refusal("nothing", key).find("read a private key"), std::string::npos);
  EXPECT_NE(refusal("", key).find("empty"), std::string::npos);
  EXPECT_NE(refusal(pem + pem, key).find("more than one"), std::string::npos);
  EXPECT_NE(refusal(std::string(70000, 'x'), key).find("larger than"), std::string::npos);
  EXPECT_NE(load_from("shop", folder_ + "/missing.key", key).error().what.find("missing.key"), std::string::npos);
  EXPECT_NE(load_from("shop", "/dev/zero", key).error().what.find("not a regular file"), std::string::npos);
  EXPECT_EQ(refusal(pem, key), "");
}

}  // namespace
}  // namespace cipherway::keyholder
