// SQLite (sqlite.org), its C API behind owners and Result.
//
// The number of an Error is what can be done about it: EUCLEAN, the file is no sound database; EINVAL, a
// statement is not for this one; ENOSPC, EBUSY, EROFS, EIO and others: later it may work.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace sbx {

using Value = std::variant<std::monostate, std::int64_t, std::string>;  // nothing: NULL
Value text_or_null(const std::string& text);

class Statement {
 public:
  Statement() = default;

 private:
  friend class Database;
  friend class Rows;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { (void)sqlite3_finalize(statement); }
  };
  std::string name_;  // of the database
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// The answer of a statement. While it exists the statement is its own.
class Rows {
 public:
  Rows(Statement& statement, std::vector<Value> values);
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows();

  // To the first row, and each next one; false: there is none any more.
  Result<bool> next();
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;  // of NULL: empty

 private:
  std::string name_;
  sqlite3_stmt* statement_;
  std::vector<Value> values_;  // bound where they are
  int failed_ = SQLITE_OK;
};

class Database {
 public:
  // Made if it is not there: mode 0600, WAL, which survives our end at any time, and that of the machine
  // without the last changes. `name`: what it is, in errors.
  static Result<Database> open(const std::string& path, const std::string& name);

  Result<Statement> prepare(const std::string& sql) const;
  // Several statements without values.
  Result<void> execute(const std::string& sql) const;
  // One that gives no rows. How many rows it changed.
  Result<std::int64_t> change(Statement& statement, std::vector<Value> values) const;
  // Of one row with one number.
  Result<std::int64_t> number(const std::string& sql) const;
  [[nodiscard]] std::int64_t last_row() const { return sqlite3_last_insert_rowid(connection_.get()); }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { (void)sqlite3_close_v2(connection); }
  };
  std::string name_;
  std::unique_ptr<sqlite3, Close> connection_;
};

// All of it, or nothing: what is not committed is undone.
class Transaction {
 public:
  static Result<Transaction> begin(const Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(const Database& database) : database_(&database) {}
  const Database* database_;
};

}  // namespace sbx
