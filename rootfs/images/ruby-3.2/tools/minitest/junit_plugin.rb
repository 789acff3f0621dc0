# frozen_string_literal: true

# A plugin of Minitest, which finds it by its name: writes a JUnit report to the file that MINITEST_JUNIT names.
module Minitest
  class JUnitReporter < AbstractReporter
    def initialize(path)
      super()
      @path = path
      @cases = []
    end

    def record(result)
      ending =
        if result.skipped? then '<skipped/>'
        elsif result.error? then '<error/>'
        elsif !result.passed? then '<failure/>'
        end
      @cases << "<testcase classname=#{quoted(result.klass)} name=#{quoted(result.name)} time=\"#{result.time}\">#{ending}</testcase>\n"
    end

    def report
      File.write(@path, "<testsuite name=\"Minitest\">\n#{@cases.join}</testsuite>\n")
    end

    private

    def quoted(text)
      text.to_s.encode('UTF-8', invalid: :replace, undef: :replace).scrub.gsub(/[\x00-\x08\x0b\x0c\x0e-\x1f]/, '?').encode(xml: :attr)
    end
  end

  def self.plugin_junit_init(_options)
    reporter << JUnitReporter.new(ENV['MINITEST_JUNIT']) if ENV['MINITEST_JUNIT']
  end
end
