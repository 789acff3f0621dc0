<?xml version="1.0" encoding="UTF-8"?>
<!-- The report of NUnit 2 as one of JUnit: each test with its name, and how it ended. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="xml" encoding="UTF-8"/>
  <xsl:template match="/">
    <testsuites>
      <testsuite name="NUnit">
        <xsl:for-each select="//test-case">
          <testcase name="{@name}" time="{@time}">
            <xsl:choose>
              <xsl:when test="@result = 'Success'"/>
              <xsl:when test="@result = 'Failure'"><failure/></xsl:when>
              <!-- A test that says neither yes nor no -->
              <xsl:when test="@result = 'Ignored' or @result = 'Skipped' or @result = 'Inconclusive'"><skipped/></xsl:when>
              <!-- Error, NotRunnable, Cancelled -->
              <xsl:otherwise><error/></xsl:otherwise>
            </xsl:choose>
          </testcase>
        </xsl:for-each>
      </testsuite>
    </testsuites>
  </xsl:template>
</xsl:stylesheet>
