// Whether the process answers, and whether it takes work.
#pragma once

#include "api/admission.h"
#include "api/history.h"
#include "api/host_routes.h"
#include "api/router.h"

namespace sbx::api {

void add_health_routes(Router& router, const Admission& admission, const History& history,
                       const PreparedImages& images, HostRoutes& host);

}  // namespace sbx::api
