// In a child each, since signals are the whole process's: it says what happens on its standard
// error, line by line, and ends when its standard input does.
#include "common/stop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

namespace gleaner {
namespace {

class Child {
 public:
  explicit Child(bool under_nohup = false) {
    int in[2], out[2];
    if (::pipe(in) != 0 || ::pipe(out) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDERR_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      for (const int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
      ::signal(SIGHUP, under_nohup ? SIG_IGN : SIG_DFL);
      ::setpgid(0, 0);
      Live();
    }
    ::close(in[0]);
    ::close(out[1]);
    in_ = in[1];
    out_ = out[0];
    WaitFor("ready");
  }
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      Wait();
    }
    if (in_ >= 0) ::close(in_);
    ::close(out_);
  }

  void Signal(int number) { ::kill(pid_, number); }
  void SignalGroup(int number) { ::kill(-pid_, number); }
  // Reads until it has said this.
  void WaitFor(const std::string& text) {
    char c = 0;
    while (said_.find(text) == std::string::npos && ::read(out_, &c, 1) == 1) said_ += c;
    EXPECT_NE(said_.find(text), std::string::npos) << said_;
    said_.clear();
  }
  // Lets it end by itself; its exit status, or 1000 + the signal that killed it.
  int End() {
    ::close(std::exchange(in_, -1));
    return Wait();
  }
  // Until it has ended.
  int Wait() {
    for (char c = 0; ::read(out_, &c, 1) == 1;) said_ += c;
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  // What it has said that WaitFor hasn't met.
  const std::string& said() const { return said_; }

 private:
  [[noreturn]] static void Live() {
    const std::stop_token stop = StopOnSignals();
    const std::stop_callback say(stop, [] { (void)!::write(STDERR_FILENO, "stop\n", 5); });
    (void)!::write(STDERR_FILENO, "ready\n", 6);
    char c = 0;
    while (::read(STDIN_FILENO, &c, 1) > 0) {
    }
    ::_exit(0);
  }

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string said_;
};

TEST(Stop, IsRequestedByWhatAsksAProgramToEnd) {
  for (const int signal_number : {SIGTERM, SIGINT, SIGHUP}) {
    Child child;
    child.Signal(signal_number);
    child.WaitFor("stop");
    EXPECT_EQ(child.End(), 0) << signal_number;
  }
}

TEST(Stop, IsNotHurriedByFurtherSignals) {
  Child child;
  child.Signal(SIGTERM);
  child.WaitFor("stop");
  child.SignalGroup(SIGTERM);
  child.WaitFor("SIGTERM again: still stopping; SIGQUIT ends at once");
  for (const int signal_number : {SIGINT, SIGHUP, SIGTERM, SIGINT}) child.Signal(signal_number);
  EXPECT_EQ(child.End(), 0);
}

TEST(Stop, APeerThatIsGoneEndsNothing) {
  Child child;
  child.Signal(SIGPIPE);
  EXPECT_EQ(child.End(), 0);
}

TEST(Stop, SigquitEndsAtOnce) {
  Child running;
  running.Signal(SIGQUIT);
  EXPECT_EQ(running.Wait(), 131);
  Child stopping;
  stopping.Signal(SIGTERM);
  stopping.WaitFor("stop");
  stopping.Signal(SIGQUIT);
  EXPECT_EQ(stopping.Wait(), 131);
}

TEST(Stop, NohupIsHeeded) {
  Child child(/*under_nohup=*/true);
  child.Signal(SIGHUP);
  child.Signal(SIGTERM);
  child.WaitFor("stop");
  EXPECT_EQ(child.End(), 0);
  EXPECT_EQ(child.said().find("again"), std::string::npos) << child.said();
}

}  // namespace
}  // namespace gleaner
