// Who is let in to the API, and how often.
#include "api/gate.h"

#include <doctest/doctest.h>

#include "base/hash.h"
#include "os/file.h"

namespace sbx::api {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kNow = 1'000'000;

Token token(const std::string& name, Scope scope, const std::string& secret) {
  Token made;
  made.name = name;
  made.digest = sha256_hex(secret);
  made.scope = scope;
  made.projects = {"p"};
  made.policies = {"default"};
  return made;
}

std::shared_ptr<const TokenList> list_of(const std::vector<Token>& tokens) {
  auto file = os::sealed_memfd(kTokensFileName, encode_tokens(tokens));
  REQUIRE(file);
  auto list = TokenList::read(std::move(*file));
  REQUIRE(list);
  return *list;
}

GateSettings settings() {
  Token old = token("old", Scope::run, "sbx_old");
  old.expires_ms = kNow;
  GateSettings made;
  made.tokens = list_of({token("look", Scope::read, "sbx_look"), token("ci", Scope::run, "sbx_ci"),
                         token("boss", Scope::admin, "sbx_boss"), old});
  made.origins = {"https://good.example"};
  return made;
}

http::Request over_tcp(const std::string& authorization, const std::string& address = "192.0.2.1") {
  http::Request request;
  request.peer.address = address;
  if (!authorization.empty()) request.headers.push_back({"authorization", authorization});
  return request;
}

http::Request of_user(uid_t uid) {
  http::Request request;
  request.peer.local = true;
  request.peer.uid = uid;
  return request;
}

int status_of(const Result<Client, Gate::Refusal>& looked) { return looked ? 200 : looked.error().status; }

}  // namespace

TEST_CASE("a bearer token is one word behind its scheme, and no error repeats it") {
  for (const char* good : {"Bearer abc", "bearer abc", "BEARER   abc", "Bearer a-._~+/9==", "Bearer sbx_x"}) {
    CAPTURE(std::string(good));
    CHECK(parse_bearer(good));
  }
  CHECK(*parse_bearer("Bearer  abc=") == "abc=");
  for (const std::string bad :
       {"", "Bearer", "Bearer ", "Basic secret", "secret", "Bearersecret", "Bearer sec ret", "Bearer sec,ret",
        "Bearer =", "Bearer s=secret", "Bearer\tsecret"}) {
    CAPTURE(bad);
    const auto parsed = parse_bearer(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().text.find("sec") == std::string::npos);
  }
  CHECK_FALSE(parse_bearer("Bearer " + std::string(201, 'a')));
}

TEST_CASE("over TCP a good token is needed, on the Unix socket none") {
  Gate gate(settings());
  const auto now = RateLimit::Clock::now();
  const auto ci = gate.look(over_tcp("Bearer sbx_ci"), now, kNow);
  REQUIRE(ci);
  CHECK(ci->owner() == "token:ci");
  CHECK_FALSE(ci->is_root());
  const auto user = gate.look(of_user(1000), now, kNow);
  REQUIRE(user);
  CHECK(user->owner() == "uid:1000");
  for (const char* bad : {"", "Bearer sbx_c", "Bearer sbx_cii", "Basic sbx_ci", "Bearer sbx_old"}) {
    CAPTURE(std::string(bad));
    const auto looked = gate.look(over_tcp(bad), now, kNow);
    REQUIRE(status_of(looked) == 401);
    REQUIRE(looked.error().headers.size() == 1);
    CHECK(looked.error().headers[0].name == "WWW-Authenticate");
    CHECK(looked.error().headers[0].value.starts_with("Bearer "));
    CHECK(looked.error().why.find("sbx_") == std::string::npos);
  }
  CHECK(gate.look(over_tcp("Bearer sbx_old"), now, kNow - 1));
  http::Request twice = over_tcp("Bearer sbx_ci");
  twice.headers.push_back({"Authorization", "Bearer sbx_boss"});
  CHECK(status_of(gate.look(twice, now, kNow)) == 401);
  GateSettings none = settings();
  none.tokens = nullptr;
  gate.set(none);
  CHECK(status_of(gate.look(over_tcp("Bearer sbx_ci"), now, kNow)) == 401);
}

TEST_CASE("what each scope is good for, and what is seen with it") {
  Gate gate(settings());
  const auto as = [&](const char* header) {
    return *gate.look(over_tcp(header), RateLimit::Clock::now(), kNow);
  };
  const Client look = as("Bearer sbx_look");
  const Client ci = as("Bearer sbx_ci");
  const Client boss = as("Bearer sbx_boss");
  const Client root = Client::of_user(0);
  const Client user = Client::of_user(1000);
  struct Row {
    const Client& client;
    bool read, run, admin;
  };
  for (const Row& row :
       {Row{look, true, false, false}, Row{ci, true, true, false}, Row{boss, true, true, true},
        Row{root, true, true, true}, Row{user, true, true, false}, Row{Client(), false, false, false}}) {
    CAPTURE(row.client.owner());
    CHECK(row.client.may(Scope::read) == row.read);
    CHECK(row.client.may(Scope::run) == row.run);
    CHECK(row.client.may(Scope::admin) == row.admin);
  }
  CHECK(Gate::lacks(look, Scope::run).status == 403);
  CHECK(Gate::lacks(look, Scope::run).why.find("'run'") != std::string::npos);
  CHECK(ci.sees("uid:1000", "p"));
  CHECK(ci.sees("token:ci", "p"));
  CHECK_FALSE(ci.sees("token:ci", "q"));
  CHECK_FALSE(ci.sees("uid:1000", ""));
  CHECK(boss.sees("uid:0", ""));
  CHECK(root.sees("token:ci", "q"));
  CHECK(user.sees("uid:1000", ""));
  CHECK_FALSE(user.sees("uid:1001", "p"));
  CHECK_FALSE(user.sees("token:1000", "p"));
  CHECK_FALSE(Client().sees("", ""));
  // What shows the host's files.
  CHECK_FALSE(ci.sees("uid:1000", "p", true));
  CHECK_FALSE(boss.sees("uid:0", "", true));
  CHECK(root.sees("uid:1000", "p", true));
  CHECK(user.sees("uid:1000", "p", true));
  RunRequest request;
  CHECK(user.why_not(request) == "");
  CHECK(ci.why_not(request).find("project_id") != std::string::npos);
  request.project = "q";
  CHECK(ci.why_not(request).find("'q'") != std::string::npos);
  request.project = "p";
  CHECK(ci.why_not(request) == "");
  request.policy = "permissive";
  CHECK(ci.why_not(request).find("'permissive'") != std::string::npos);
}

TEST_CASE("a web page is refused unless its origin is configured, whoever's browser it is in") {
  Gate gate(settings());
  for (http::Request request : {over_tcp("Bearer sbx_ci"), of_user(0), of_user(1000)}) {
    request.headers.push_back({"ORIGIN", "https://good.example"});
    CHECK(status_of(gate.look(request, RateLimit::Clock::now(), kNow)) == 200);
    for (const char* bad :
         {"https://bad.example", "null", "", "http://good.example", "https://good.example:1"}) {
      request.headers.back().value = bad;
      CHECK(status_of(gate.look(request, RateLimit::Clock::now(), kNow)) == 403);
    }
    request.headers.push_back({"Origin", "https://good.example"});  // one good one is not enough
    CHECK(status_of(gate.look(request, RateLimit::Clock::now(), kNow)) == 403);
  }
}

TEST_CASE("each client has a rate, root has none, and wrong tokens are counted by address") {
  GateSettings limited = settings();
  limited.per_client_rate = 2;
  limited.burst = 3;
  Gate gate(limited);
  const auto start = RateLimit::Clock::now();
  const auto at = [&](int s, const http::Request& request) {
    return gate.look(request, start + seconds(s), kNow);
  };
  for (int i = 0; i < 3; ++i) CHECK(at(0, of_user(1000)));
  const auto refused = at(0, of_user(1000));
  REQUIRE(status_of(refused) == 429);
  CHECK(refused.error().headers[0].name == "Retry-After");
  CHECK(refused.error().headers[0].value == "1");
  CHECK(at(0, of_user(1001)));
  CHECK(at(0, over_tcp("Bearer sbx_ci")));
  for (int i = 0; i < 100; ++i) CHECK(at(0, of_user(0)));
  CHECK(at(1, of_user(1000)));
  CHECK(at(1, of_user(1000)));
  CHECK(status_of(at(1, of_user(1000))) == 429);

  Gate guessed(settings());
  const auto guess = [&](const std::string& address) {
    return status_of(guessed.look(over_tcp("Bearer sbx_guess", address), start, kNow));
  };
  for (int i = 0; i < 10; ++i) CHECK(guess("192.0.2.1") == 401);
  CHECK(guess("192.0.2.1") == 429);
  CHECK(guess("192.0.2.2") == 401);
  CHECK(guessed.look(over_tcp("Bearer sbx_ci"), start, kNow));  // who is behind the same address
  for (int i = 0; i < 10; ++i) CHECK(guess("2001:db8::" + std::to_string(i)) == 401);
  CHECK(guess("2001:db8::ffff") == 429);
  CHECK(guess("2001:db8:0:1::1") == 401);
}

TEST_CASE("a bucket fills by and by, up to its burst, and not everybody who came once is remembered") {
  RateLimit limit(0.5, 2);
  const auto start = RateLimit::Clock::now();
  CHECK_FALSE(limit.take("a", start));
  CHECK_FALSE(limit.take("a", start));
  CHECK(limit.take("a", start) == seconds(2));
  CHECK(limit.take("a", start + seconds(1)) == seconds(1));
  CHECK_FALSE(limit.take("a", start + seconds(2)));
  for (int i = 0; i < 2; ++i) CHECK_FALSE(limit.take("a", start + seconds(1000)));
  CHECK(limit.take("a", start + seconds(1000)));
  for (int i = 0; i < 20'000; ++i) (void)limit.take(std::to_string(i), start + seconds(i));
  CHECK(limit.known() <= 10'000);
  RateLimit none(0, 1);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(none.take("a", start));
}

}  // namespace sbx::api
