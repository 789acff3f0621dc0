#include "api/configuration_table.h"

#include <cerrno>

namespace sbx::api {
namespace {

Configuration read(const Rows& rows) {
  return {rows.text(0), rows.text(1), rows.text(2), rows.text(3), rows.integer(4), rows.integer(5)};
}

Result<std::int64_t> count(const Database& database, const std::string& column, const std::string& value) {
  Statement counted = TRY(database.prepare("SELECT count(*) FROM configurations WHERE " + column + " = ?"));
  Rows rows(counted, {value});
  return TRY(rows.next()) ? rows.integer(0) : 0;
}

Unexpected too_many(const std::string& whose, std::int64_t most) {
  return fail(
      Error{whose + " has " + std::to_string(most) + " configurations, the most: remove one", EDQUOT});
}

}  // namespace

Result<std::optional<Configuration>> find_configuration(const Database& database, const std::string& project,
                                                        const std::string& name) {
  Statement wanted =
      TRY(database.prepare("SELECT project, name, owner, json, created_ms, updated_ms FROM configurations "
                           "WHERE project = ? AND name = ?"));
  Rows rows(wanted, {project, name});
  if (!TRY(rows.next())) return std::optional<Configuration>();
  return std::optional(read(rows));
}

Result<std::vector<Configuration>> list_configurations(const Database& database, const std::string& project) {
  Statement wanted =
      TRY(database.prepare("SELECT project, name, owner, '', created_ms, updated_ms FROM configurations "
                           "WHERE project = ? ORDER BY name"));
  Rows rows(wanted, {project});
  std::vector<Configuration> list;
  while (TRY(rows.next())) list.push_back(read(rows));
  return list;
}

Result<void> put_configuration(const Database& database, const Configuration& configuration) {
  Transaction transaction = TRY(Transaction::begin(database));
  Statement update = TRY(
      database.prepare("UPDATE configurations SET json = ?, updated_ms = ? WHERE project = ? AND name = ?"));
  const std::int64_t changed = TRY(database.change(
      update, {configuration.json, configuration.updated_ms, configuration.project, configuration.name}));
  if (changed == 0) {
    if (TRY(count(database, "project", configuration.project)) >= kMostOfProject)
      return too_many("the project '" + configuration.project + "'", kMostOfProject);
    if (TRY(count(database, "owner", configuration.owner)) >= kMostOfOwner)
      return too_many("'" + configuration.owner + "'", kMostOfOwner);
    Statement insert = TRY(
        database.prepare("INSERT INTO configurations (project, name, owner, json, created_ms, updated_ms) "
                         "VALUES (?, ?, ?, ?, ?, ?)"));
    (void)TRY(
        database.change(insert, {configuration.project, configuration.name, configuration.owner,
                                 configuration.json, configuration.created_ms, configuration.updated_ms}));
  }
  return transaction.commit();
}

Result<void> remove_configuration(const Database& database, const std::string& project,
                                  const std::string& name) {
  Statement removal = TRY(database.prepare("DELETE FROM configurations WHERE project = ? AND name = ?"));
  (void)TRY(database.change(removal, {project, name}));
  return {};
}

Result<void> remove_configurations(const Database& database, const std::string& project) {
  Statement removal = TRY(database.prepare("DELETE FROM configurations WHERE project = ?"));
  (void)TRY(database.change(removal, {project}));
  return {};
}

Result<void> move_configurations(const Database& database, const std::string& project,
                                 const std::string& new_project) {
  Transaction transaction = TRY(Transaction::begin(database));
  TRY(remove_configurations(database, new_project));
  Statement move = TRY(database.prepare("UPDATE configurations SET project = ? WHERE project = ?"));
  (void)TRY(database.change(move, {new_project, project}));
  return transaction.commit();
}

}  // namespace sbx::api
