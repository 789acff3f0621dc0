#include "api/history_query.h"

#include <array>

namespace sbx::api {
namespace {

struct Equal {
  const char* column;
  const std::optional<std::string>& value;
};

class QueryWriter {
 public:
  void where(const std::string& condition, std::vector<Value> values) {
    conditions_ += (conditions_.empty() ? " WHERE " : " AND ") + condition;
    for (Value& value : values) values_.push_back(std::move(value));
  }
  HistoryQuery query(const std::string& from, const std::string& order, std::size_t limit) {
    values_.emplace_back(static_cast<std::int64_t>(limit + 1));
    return {"SELECT " + std::string(kRunColumns) + " FROM " + from +
                " LEFT JOIN results ON results.run = r.number" + conditions_ + " ORDER BY " + order +
                " LIMIT ?",
            std::move(values_)};
  }

 private:
  std::string conditions_;
  std::vector<Value> values_;
};

// A range of one column: with both ends at the most, SQLite would follow either.
void write_range(const RunFilter& filter, const std::string& created, const std::string& number,
                 QueryWriter& writer) {
  if (filter.since_ms) writer.where(created + " >= ?", {*filter.since_ms});
  if (filter.behind && (!filter.until_ms || filter.behind->created_ms < *filter.until_ms)) {
    writer.where("(" + created + ", " + number + ") < (?, ?)",
                 {filter.behind->created_ms, filter.behind->number});
  } else if (filter.until_ms) {
    writer.where(created + " < ?", {*filter.until_ms});
  }
}

}  // namespace

RunRecord read_run(const Rows& row) {
  RunRecord run;
  run.number = row.integer(0);
  run.about.id = row.text(1);
  run.about.owner = row.text(2);
  run.about.task = row.text(3);
  run.about.project = row.text(4);
  run.about.sandbox = row.text(5);
  const Json labels = Json::parse(row.text(6), nullptr, false);
  if (labels.is_object()) {
    for (const auto& [name, value] : labels.items()) {
      if (value.is_string()) run.about.labels[name] = value.get<std::string>();
    }
  }
  run.about.created_ms = row.integer(7);
  run.status = row.text(8);
  run.outcome = row.text(9);
  run.finished_ms = row.integer(10);
  if (!row.is_null(11)) run.output_bytes = static_cast<std::uint64_t>(row.integer(11));
  run.result = row.text(12);
  return run;
}

// The index of what says most is followed; a plus keeps SQLite from another (sqlite.org/optoverview.html).
HistoryQuery make_list_query(const RunFilter& filter) {
  const std::array narrow{Equal{"r.sandbox", filter.sandbox}, Equal{"r.task", filter.task}};
  const std::array wide{Equal{"r.project", filter.project}, Equal{"r.outcome", filter.outcome},
                        Equal{"r.owner", filter.owner}, Equal{"r.status", filter.status}};
  QueryWriter writer;
  bool followed = false;
  std::string from = "runs r";
  std::string created = "r.created_ms";
  std::string number = "r.number";
  const auto write_equal = [&](const Equal& equal) {
    if (!equal.value) return;
    writer.where((followed ? "+" : "") + std::string(equal.column) + " = ?", {*equal.value});
    followed = true;
  };
  for (const Equal& equal : narrow) write_equal(equal);
  for (const auto& [name, value] : filter.labels) {
    if (!followed && value) {
      from = "labels l CROSS JOIN runs r ON r.number = l.run";
      created = "l.created_ms";
      number = "l.run";
      writer.where("l.name = ? AND l.value = ?", {name, *value});
      followed = true;
    } else if (value) {
      writer.where("EXISTS (SELECT 1 FROM labels WHERE run = r.number AND name = ? AND value = ?)",
                   {name, *value});
    } else {
      writer.where("EXISTS (SELECT 1 FROM labels WHERE run = r.number AND name = ?)", {name});
    }
  }
  for (const Equal& equal : wide) write_equal(equal);
  if (filter.among) {
    std::string marks;
    std::vector<Value> projects;
    for (const std::string& project : *filter.among) {
      marks += marks.empty() ? "?" : ", ?";
      projects.emplace_back(project);
    }
    writer.where("r.project IN (" + marks + ")", std::move(projects));
  }
  if (filter.owner_or_project)
    writer.where("(r.project IS NOT NULL OR r.owner = ?)", {*filter.owner_or_project});
  write_range(filter, created, number, writer);
  return writer.query(from, created + " DESC, " + number + " DESC", filter.limit);
}

}  // namespace sbx::api
