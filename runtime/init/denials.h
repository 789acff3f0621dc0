// The process of a sandbox that counts its refused system calls (wire/denials.h).
#pragma once

namespace sbx::init {

// Starts it. It reads notifications from kListenerFd, counts each in the table `table_fd` and answers what
// `filter_fd` (struct sock_filter[]) says; it decides nothing and follows no pointer. It ends with the
// sandbox. 0 or -errno.
long start_denial_counter(int table_fd, int filter_fd);

}  // namespace sbx::init
