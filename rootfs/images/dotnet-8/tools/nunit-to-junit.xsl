<?xml version="1.0" encoding="UTF-8"?>
<!-- The report of NUnit 3 as one of JUnit: each test with its name, and how it ended. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="xml" encoding="UTF-8"/>
  <xsl:template match="/">
    <testsuites>
      <testsuite name="NUnit">
        <xsl:for-each select="//test-case">
          <testcase name="{@fullname}" time="{@duration}">
            <xsl:choose>
              <xsl:when test="@result = 'Passed' or @result = 'Warning'"/>
              <!-- With a label (Error, Invalid, Cancelled) it is not an assertion that failed. -->
              <xsl:when test="@result = 'Failed' and not(@label)"><failure/></xsl:when>
              <xsl:when test="@result = 'Failed'"><error/></xsl:when>
              <xsl:otherwise><skipped/></xsl:otherwise>
            </xsl:choose>
          </testcase>
        </xsl:for-each>
      </testsuite>
    </testsuites>
  </xsl:template>
</xsl:stylesheet>
