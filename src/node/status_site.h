#pragma once

#include "base/address.h"
#include "base/clock.h"
#include "node/http_request.h"
#include "node/json_fields.h"

#include <memory>
#include <string>
#include <string_view>

namespace cipherway::node {

/// A status report, as the supervisor made it and as values.
struct Report {
  std::string text;
  std::shared_ptr<const Json> values;
};

struct HttpResponse {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::string fields;  ///< more header fields, each with its CRLF
};

/// What the status server serves: `/`, `/metrics`, `/healthz`, `/status.json`. Pure: a request and a report in, a
/// response out; the server does the rest.
class StatusSite {
 public:
  /// `listens_on`: over a UNIX socket nobody's browser comes, so there any Host will do.
  explicit StatusSite(const Address& listens_on);

  /// `report` is null when the supervisor does not answer.
  HttpResponse answer(const HttpRequest& request, const Report* report, WallClock::time_point now) const;

 private:
  bool is_for_us(const std::string& host, const Report* report) const;

  bool any_host_;
  std::string page_;
  std::string page_policy_;
};

/// An answer that needs no report: a request that is no request, a server that is full.
HttpResponse refusal(int status);

/// Status line, fields and body, as they go out. `head`: without the body.
std::string to_wire(const HttpResponse& response, bool head);

}  // namespace cipherway::node
