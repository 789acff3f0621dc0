#include "os/database.h"

#include <cerrno>

namespace sbx {
namespace {

// The loop waits so long for another program that writes.
constexpr int kBusyMs = 100;

int error_number(int code) {
  switch (code & 0xFF) {
  case SQLITE_ERROR: return EINVAL;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return EUCLEAN;
  case SQLITE_FULL: return ENOSPC;
  case SQLITE_BUSY:
  case SQLITE_LOCKED: return EBUSY;
  case SQLITE_READONLY: return EROFS;
  case SQLITE_PERM:
  case SQLITE_CANTOPEN: return EACCES;
  case SQLITE_CONSTRAINT: return EEXIST;
  default: return EIO;
  }
}

Unexpected failed(const std::string& name, sqlite3* connection, int code) {
  std::string text = sqlite3_errstr(code);
  if (connection != nullptr && sqlite3_errcode(connection) == code) text = sqlite3_errmsg(connection);
  return fail(Error{name + ": " + text + " (SQLite " + std::to_string(code) + ")", error_number(code)});
}

}  // namespace

Value text_or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }

// --- rows ----------------------------------------------------------------------------------------------

Rows::Rows(Statement& statement, std::vector<Value> values)
    : name_(statement.name_), statement_(statement.statement_.get()), values_(std::move(values)) {
  int index = 0;
  for (const Value& value : values_) {
    ++index;
    int code = SQLITE_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = sqlite3_bind_int64(statement_, index, *number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      code = sqlite3_bind_text64(statement_, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else {
      code = sqlite3_bind_null(statement_, index);
    }
    if (code != SQLITE_OK) failed_ = code;
  }
}

Rows::~Rows() {
  (void)sqlite3_reset(statement_);  // says again what the last step said
  (void)sqlite3_clear_bindings(statement_);
}

Result<bool> Rows::next() {
  const int code = failed_ != SQLITE_OK ? failed_ : sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return failed(name_, sqlite3_db_handle(statement_), code);
}

bool Rows::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

std::int64_t Rows::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Rows::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
}

// --- the database --------------------------------------------------------------------------------------

Result<Database> Database::open(const std::string& path, const std::string& name) {
  Database database;
  database.name_ = name;
  sqlite3* connection = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &connection, flags, nullptr);
  database.connection_.reset(connection);
  if (code != SQLITE_OK) return failed(name, connection, code);
  (void)sqlite3_busy_timeout(connection, kBusyMs);
  // What is sorted is sorted in memory: there is no other place for it.
  TRY(
      database.execute("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                       "PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 4194304;"));
  Statement wal = TRY(database.prepare("PRAGMA journal_mode = WAL"));
  Rows rows(wal, {});
  const bool told = TRY(rows.next());
  if (!told || rows.text(0) != "wal")
    return fail(Error{name + ": its file system is none for a write-ahead log", EIO});
  return database;
}

Result<Statement> Database::prepare(const std::string& sql) const {
  Statement statement;
  statement.name_ = name_;
  sqlite3_stmt* made = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &made, nullptr);
  statement.statement_.reset(made);
  if (code != SQLITE_OK) return failed(name_, connection_.get(), code);
  return statement;
}

Result<void> Database::execute(const std::string& sql) const {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failed(name_, connection_.get(), sqlite3_extended_errcode(connection_.get()));
  return {};
}

Result<std::int64_t> Database::change(Statement& statement, std::vector<Value> values) const {
  Rows rows(statement, std::move(values));
  (void)TRY(rows.next());
  return sqlite3_changes64(connection_.get());
}

Result<std::int64_t> Database::number(const std::string& sql) const {
  Statement statement = TRY(prepare(sql));
  Rows rows(statement, {});
  return TRY(rows.next()) ? rows.integer(0) : 0;
}

// --- transactions --------------------------------------------------------------------------------------

Result<Transaction> Transaction::begin(const Database& database) {
  TRY(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

// SQLite may have undone it already.
Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  TRY(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace sbx
